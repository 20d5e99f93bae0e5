/** Programs of a test's own, found before the real ones. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Does the work while these shell scripts (by name) stand first in the PATH. */
export async function withPrograms<T>(
  scripts: Readonly<Record<string, string>>,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-programs-'))
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  const path = process.env.PATH ?? ''
  process.env.PATH = `${folder}:${path}`
  try {
    return await work(folder)
  } finally {
    process.env.PATH = path
    rmSync(folder, { recursive: true })
  }
}
