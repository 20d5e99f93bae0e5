/** A release of this checkout in a temporary folder, for measuring what people install. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../lab/run.ts'

export interface Release {
  /** The path of one of its programs. */
  readonly program: (name: 'picket' | 'picketd') => string
  remove(): void
}

/** Builds one, from the sources as they are. */
export async function buildRelease(): Promise<Release> {
  const dir = mkdtempSync(join(tmpdir(), 'picket-release-'))
  const remove = () => rmSync(dir, { recursive: true, force: true })
  const bin = (name: string) => fileURLToPath(new URL(`../../bin/${name}`, import.meta.url))
  try {
    const { status, stderr } = await run([bin('node'), bin('build.ts'), dir], {
      timeoutMs: 120_000,
    })
    if (status !== 0) throw new Error(`the release cannot be built: ${stderr.trim().slice(-300)}`)
  } catch (error) {
    remove()
    throw error
  }
  return { program: (name) => join(dir, 'bin', name), remove }
}
