/** CIBs for tests: written by hand, and made by the real `pcs`, without any cluster. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { commands } from '../../src/cli/main.ts'
import { picket, program, type Ran } from '../cli/picket.ts'
import { folder } from '../config/files.ts'
import { notRoot } from '../needs.ts'

/** The environment of Debian's cluster programs. */
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

/** pcs starts a dozen programs for each of its commands; a busy machine takes its time. */
const boundMs = 240_000

export function run(program: string, ...args: readonly string[]): Promise<Ran> {
  return runWith({}, program, ...args)
}

async function runWith(
  more: Readonly<Record<string, string>>,
  program: string,
  ...args: readonly string[]
): Promise<Ran> {
  return await new Promise((resolve) => {
    const bounds = { env: { ...env, ...more }, timeout: boundMs, maxBuffer: 1 << 24 }
    const child = execFile(program, [...args], bounds, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null
      resolve({ code, signal: child.signalCode, out, err })
    })
  })
}

/** Looks as if the agents lay in /usr/sbin, where pcs looks for them: for one program alone. */
const inPlace = `set -e
room=$(mktemp -d)
mount -t tmpfs tmpfs "$room"
mkdir "$room/up" "$room/work"
mount -t overlay overlay -o "lowerdir=/usr/sbin,upperdir=$room/up,workdir=$room/work" /usr/sbin
"$0" agents install >"$room/said"
exec bash "$@"`

/**
 * Run an exported script on a CIB: with Picket's agents in place, whose metadata pcs then holds the
 * parameters against, where this Picket brings them and we may; else by --force.
 */
export function runExport(script: string, cib: string, as: 'file' | 'cluster'): Promise<Ran> {
  // With CIB_file the programs of Pacemaker take this file for the CIB of the cluster.
  const own = as === 'cluster' ? { CIB_file: cib } : {}
  const target = as === 'cluster' ? [] : [cib]
  if (notRoot || !Object.hasOwn(commands, 'agents')) {
    return runWith(own, 'bash', script, '--force', ...target)
  }
  const room = ['--mount', '--propagation', 'private', 'bash', '-c', inPlace, program]
  return runWith(own, 'unshare', ...room, script, ...target)
}

/** A CIB of these nodes and nothing else, as `cibadmin` makes an empty one. */
export async function emptyCib(t: TestContext, ...nodes: readonly string[]): Promise<string> {
  const { out, code } = await run('cibadmin', '--empty')
  assert.equal(code, 0)
  const listed = nodes.map((node, at) => `<node id="${at + 1}" uname="${node}"/>`).join('')
  const text = out.replace('<nodes/>', `<nodes>${listed}</nodes>`)
  return join(folder(t, { 'cib.xml': text }), 'cib.xml')
}

/** `pcs -f CIB …`, which has to succeed. */
export async function pcs(cib: string, ...lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    const { code, err } = await run('pcs', '-f', cib, ...line.split(' '))
    assert.equal(code, 0, `pcs ${line}: ${err}`)
  }
}

/** Pacemaker's own word on a CIB; only its warnings are taken. */
export async function assertValid(cib: string): Promise<void> {
  const { code, err } = await run('crm_verify', '--xml-file', cib, '-V')
  assert.ok(code === 0 || /^crm_verify: Warnings/m.test(err), err)
  assert.doesNotMatch(err, /error:/i)
}

/** A CIB by hand, from the sections of its configuration. */
export function cibText(...sections: readonly string[]): string {
  return `<?xml version="1.0" ?>\n<cib validate-with="pacemaker-3.9">\n<configuration>\n\
${sections.join('\n')}\n</configuration>\n<status/>\n</cib>\n`
}

export const nodes = (...names: readonly string[]): string =>
  `<nodes>${names.map((name, at) => `<node id="${at + 1}" uname="${name}"/>`).join('')}</nodes>`

export const resources = (...all: readonly string[]): string =>
  `<resources>\n${all.join('\n')}\n</resources>`

export const topology = (...levels: readonly string[]): string =>
  `<fencing-topology>${levels.join('')}</fencing-topology>`

export function stonith(
  id: string,
  type: string,
  parameters: Readonly<Record<string, string>>,
  rest = '',
): string {
  const pairs = Object.entries(parameters).map(
    ([name, value]) => `<nvpair id="${id}-${name}" name="${name}" value="${value}"/>`,
  )
  return `<primitive id="${id}" class="stonith" type="${type}">\
<instance_attributes id="${id}-i">${pairs.join('')}</instance_attributes>${rest}</primitive>`
}

export interface Imported {
  readonly code: number | null
  readonly out: string
  readonly err: string
  readonly config: string
  readonly secrets: string
  readonly directory: string
}

/** `picket import …` into a directory of its own. */
export async function importInto(
  t: TestContext,
  words: readonly string[],
  files: Readonly<Record<string, string>>,
): Promise<Imported> {
  const from = folder(t, files)
  const directory = join(from, 'out')
  const paths = words.map((word) => (word in files ? join(from, word) : word))
  const { code, out, err } = await picket(['import', ...paths, '--out', directory])
  const read = (name: string) => {
    try {
      return readFileSync(join(directory, name), 'utf8')
    } catch {
      return ''
    }
  }
  const plain = (text: string) => text.replaceAll(`${from}/`, '')
  return {
    ...{ code, out: plain(out), err: plain(err), directory },
    ...{ config: plain(read('config.yaml')), secrets: plain(read('fence-secrets.yaml')) },
  }
}

/** Import a CIB by hand; its text is `cib.xml`. */
export function importCib(t: TestContext, text: string): Promise<Imported> {
  return importInto(t, ['pacemaker', '--cib', 'cib.xml'], { 'cib.xml': text })
}

/** The config without its comments. */
export const plainLines = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')

export const rewrite = (file: string, change: (text: string) => string): void =>
  writeFileSync(file, change(readFileSync(file, 'utf8')))
