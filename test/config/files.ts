/** Configuration files in a folder of their own, for one test. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Loaded, type LoadOptions, loadConfig } from '../../src/config/load.ts'
import { problemText } from '../../src/config/problem.ts'
import { faultsIn } from './editor.ts'

/** Write files (by name) into a new folder that goes with the test; secrets get mode 0600. */
export function folder(t: TestContext, files: Readonly<Record<string, string | Buffer>>): string {
  const dir = mkdtempSync(join(tmpdir(), 'picket-config-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    const file = join(dir, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    chmodSync(file, name.includes('secrets') ? 0o600 : 0o644)
  }
  return dir
}

export interface Files {
  readonly config: string
  readonly secrets?: string
}

/** Load a configuration that has to be right, also in the eyes of an editor. */
export async function load(
  t: TestContext,
  files: Files,
  options: LoadOptions = {},
): Promise<Loaded> {
  const result = await loadConfig(join(write(t, files), 'config.yaml'), options)
  assert.ok(result.ok, result.ok ? '' : result.problems.map(problemText).join('\n'))
  assert.deepEqual(faultsIn(files.config), [], 'the schema for editors refuses what is right')
  return result.loaded
}

/** Load a configuration that has to be wrong; gives its problems with file names alone. */
export async function problemsOf(
  t: TestContext,
  files: Files,
  options: LoadOptions = {},
): Promise<readonly string[]> {
  const dir = write(t, files)
  const result = await loadConfig(join(dir, 'config.yaml'), options)
  assert.equal(result.ok, false, 'it was accepted')
  return result.ok
    ? []
    : result.problems.map((problem) => problemText(problem).replaceAll(`${dir}/`, ''))
}

function write(t: TestContext, { config, secrets }: Files): string {
  return folder(t, {
    'config.yaml': config,
    ...(secrets !== undefined && { 'fence-secrets.yaml': secrets }),
  })
}

/** Two nodes without anything else. */
export const twoNodes = `cluster:
  name: test
  nodes:
    - { name: a, unfenced: accepted }
    - { name: b, unfenced: accepted }
`
