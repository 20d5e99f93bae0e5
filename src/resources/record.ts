/**
 * What has to survive a killed daemon: which operations have begun and are not over, which process
 * is a service's own, and what may be up that no process shows. One small file each, replaced
 * atomically, so that a reader finds the old one or the new one. A file that cannot be understood
 * counts as the worst it could mean.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { type ResourceOp, resourceOps } from '../core/effect.ts'
import { statOf } from './process.ts'
import { fileName } from './scope.ts'

const OperationRecord = z.object({
  op: z.enum(resourceOps),
  id: z.number(),
  scope: z.string(),
  /** Wall clock, for people. */
  begun: z.string(),
})
export type OperationRecord = z.output<typeof OperationRecord>

/** Is what it leaves running, once it has succeeded, the service? */
export function leavesService(op: ResourceOp): boolean {
  return op === 'start' || op === 'migrate_from'
}

/** An operation that has no end on record; `record` is absent where the file makes no sense. */
export interface HalfDone {
  /** The resource as a file name; see `fileName`. */
  readonly resource: string
  readonly record: OperationRecord | undefined
}

const Up = z.object({ boot: z.string() })
const MainProcess = z.object({ pid: z.number().int().positive(), startTicks: z.string() })

export interface Records {
  begin(resource: string, record: OperationRecord): void
  end(resource: string): void
  halfDone(): readonly HalfDone[]
  /** Forgets by file name, for the sweep. */
  forget(name: string): void
  rememberMain(resource: string, pid: number): void
  main(resource: string): 'alive' | 'dead' | 'unknown'
  /** From now on it may be up here, until this is taken back or the machine boots. */
  rememberUp(resource: string): void
  forgetUp(resource: string): void
  mayBeUp(resource: string): boolean
}

/** The records of one state directory. */
export function openRecords(stateDir: string): Records {
  const opFile = (name: string) => join(stateDir, 'ops', `${name}.json`)
  const upFile = (resource: string) => join(stateDir, 'up', `${fileName(resource)}.json`)
  const mainFile = (resource: string) => join(stateDir, 'services', `${fileName(resource)}.json`)
  return {
    begin: (resource, record) => replace(opFile(fileName(resource)), record),
    end: (resource) => rmSync(opFile(fileName(resource)), { force: true }),
    forget: (name) => rmSync(opFile(name), { force: true }),
    halfDone: () =>
      list(join(stateDir, 'ops')).map((name) => ({
        resource: name,
        record: OperationRecord.safeParse(read(opFile(name))).data,
      })),
    rememberMain(resource, pid) {
      replace(mainFile(resource), { pid, startTicks: statOf(pid)?.startTicks ?? '' })
    },
    main(resource) {
      const main = MainProcess.safeParse(read(mainFile(resource))).data
      if (main === undefined) return 'unknown'
      const stat = statOf(main.pid)
      return stat?.startTicks === main.startTicks && stat.state !== 'Z' ? 'alive' : 'dead'
    },
    rememberUp: (resource) => replace(upFile(resource), { boot: bootId() }),
    forgetUp: (resource) => rmSync(upFile(resource), { force: true }),
    mayBeUp(resource) {
      if (!existsSync(upFile(resource))) return false
      const up = Up.safeParse(read(upFile(resource))).data
      return up === undefined || up.boot === bootId()
    },
  }
}

/** Another one for every boot of the kernel. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

function replace(file: string, content: unknown): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(`${file}.new`, JSON.stringify(content), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
