/** A `virsh` before the real one, which can fail in the words of virsh instead of asking anybody. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { searchPath } from '../../src/lab/run.ts'
import type { Fault } from './faults.ts'

/** What virsh says on stderr before it ends with 1. */
const words: Partial<Record<Fault, string>> = {
  401: 'error: failed to connect to the hypervisor\nerror: authentication failed: no such user',
  403: 'error: access denied: destroy',
  404: "error: failed to get domain 'test'",
  409: 'error: Timed out during operation: cannot acquire state change lock',
  429: 'error: operation failed: too many active clients',
  500: 'error: internal error: off',
}

/** What it does with the words of the real one, in shell. */
const spoils: Partial<Record<Fault, string>> = {
  'truncated JSON': 'real "$@" | head -c 50; exit 0',
  'wrong JSON': "echo 'shut off (destroyed)'; exit 0",
}

export interface Virsh {
  /** False for what it cannot show. */
  fail(fault: Fault, fromCall: number): boolean
  mend(): void
  /** What it was asked, oldest first. */
  calls(): readonly string[]
  remove(): void
}

/** Puts it first in the PATH, until it is removed. */
export function installVirsh(): Virsh {
  const folder = mkdtempSync(join(tmpdir(), 'picket-virsh-'))
  const file = (name: string): string => join(folder, name)
  const calls = (): readonly string[] =>
    readFileSync(file('calls'), 'utf8').split('\n').slice(0, -1)
  writeFileSync(file('calls'), '')
  writeFileSync(file('fault'), '')
  writeFileSync(
    file('virsh'),
    `#!/bin/sh
real() { PATH='${searchPath}' virsh "$@"; }
echo "$*" >>'${file('calls')}'
. '${file('fault')}'
PATH='${searchPath}' exec virsh "$@"
`,
  )
  chmodSync(file('virsh'), 0o755)
  const path = process.env.PATH ?? ''
  process.env.PATH = `${folder}:${path}`
  return {
    fail(fault, fromCall) {
      const said = words[fault]
      const deed = said === undefined ? spoils[fault] : `printf '%s\\n' "${said}" >&2; exit 1`
      if (deed === undefined) return false
      const before = calls().length + fromCall
      const late = `[ "$(wc -l <'${file('calls')}')" -le ${before} ]`
      writeFileSync(file('fault'), `${late} || { ${deed}; }\n`)
      return true
    },
    mend: () => writeFileSync(file('fault'), ''),
    calls,
    remove() {
      process.env.PATH = path
      rmSync(folder, { recursive: true })
    },
  }
}
