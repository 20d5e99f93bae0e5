/**
 * Scopes: every operation of a resource has one of its own, so that all processes it makes can be
 * found, killed and proven gone (safety.md, S1 and S10). What a successful start leaves behind
 * stays in the start's scope and is found there by the next daemon.
 *
 * Names do not depend on anything a daemon remembers: the node part is made of the state
 * directory's path and of the pid namespace, so a daemon that lost its disk still finds what its
 * predecessor ran.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, realpathSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCgroup } from './cgroup.ts'
import { MARKER, markedProcesses, openMarker } from './marker.ts'
import type { Mechanism, MechanismKind } from './mechanism.ts'
import { describeOne, describeStuck, pidNamespace, signal } from './process.ts'

export interface Scopes {
  readonly kind: MechanismKind
  readonly place: string
  /** A name for the scope of one operation that no other has. */
  nameFor(resource: string, op: string): string
  /** Makes an empty scope. Throws when it cannot. */
  create(scope: string): void
  /** What a program needs to get into a scope. */
  entrance(scope: string): Entrance
  /**
   * Every scope that exists here, whoever made it. `marked` also searches all processes for the
   * mark of a scope that is not where it should be.
   */
  list(options?: { readonly marked: boolean }): Promise<readonly ScopeName[]>
  /** The live processes of some scopes. Throws when that cannot be told. */
  pids(scopes: readonly string[]): Promise<readonly number[]>
  /** Ends everything inside and proves it gone; the scopes do not exist any more afterwards. */
  clear(scopes: readonly string[], how: ClearOptions): Promise<Cleared>
  events(scope: string): string | undefined
}

export interface Entrance {
  /** The file a program passes on its way in. */
  readonly gate: string
  /** The mark in its environment. */
  readonly env: Readonly<Record<string, string>>
}

export interface ScopeName {
  readonly scope: string
  readonly resource: string
  readonly op: string
}

export interface ClearOptions {
  /** How long processes have to end on SIGTERM before they are killed; 0 kills at once. */
  readonly graceMs: number
  /** When to give up proving them gone. Counted from the first SIGKILL. */
  readonly boundMs: number
  /**
   * Also look for processes outside of their control group, moved by something else (a PAM
   * session).
   */
  readonly strays?: boolean
}

export interface Cleared {
  readonly gone: boolean
  /** What was still alive, for example `node (pid 12)`. */
  readonly found: readonly string[]
  /** What SIGTERM did not end in time. */
  readonly killed: readonly string[]
  /** Why it is not proven gone; empty when it is. */
  readonly because: string
}

export interface ScopesOptions {
  readonly stateDir: string
  /** Take this mechanism instead of the strongest one that works here. */
  readonly mechanism?: MechanismKind | undefined
  readonly warn: (text: string) => void
}

/** Opens the scopes of one state directory. */
export function openScopes({ stateDir, mechanism: forced, warn }: ScopesOptions): Scopes {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const node = createHash('sha256')
    .update(`${realpathSync(stateDir)}\0${pidNamespace()}`)
    .digest('hex')
    .slice(0, 12)
  const mechanism = openMechanism(node, stateDir, forced)
  const strays = straySearch(node, mechanism.kind, warn)
  return {
    kind: mechanism.kind,
    place: mechanism.place,
    nameFor: (resource, op) => `${fileName(resource)}/${op}-${randomBytes(4).toString('hex')}`,
    create: mechanism.create,
    entrance: (scope) => ({
      gate: mechanism.gate(scope),
      env: { [MARKER]: `${node}/${scope}` },
    }),
    list: async (options) => {
      const marked = options?.marked ? [...(await strays()).values()] : []
      return [...new Set([...(await mechanism.list()), ...marked])].map(parseName)
    },
    pids: async (scopes) => {
      const inside = await mechanism.pids(scopes)
      // "Nobody" is a strong word: it is only said after the second look.
      return inside.length > 0 || scopes.length === 0 ? inside : among(await strays(), scopes)
    },
    clear: (scopes, how) => clear(mechanism, strays, scopes, how),
    events: (scope) => mechanism.events(scope),
  }
}

function openMechanism(node: string, stateDir: string, forced?: MechanismKind): Mechanism {
  for (const kind of ['cgroup2', 'cgroup1'] as const) {
    const found = forced === undefined || forced === kind ? openCgroup(node, kind) : undefined
    if (found !== undefined) return found
  }
  if (forced === undefined || forced === 'marker') return openMarker(node, stateDir)
  throw new Error(`no ${forced} hierarchy can be written here`)
}

/** A resource's name as a name for files: nothing in it can lead to another directory. */
export function fileName(resource: string): string {
  const safe = resource.replace(
    /[^\w.-]|^\./g,
    (char) => `%${Buffer.from(char).toString('hex').toUpperCase()}`,
  )
  if (safe.length <= 100) return safe
  return `${safe.slice(0, 80)}%${createHash('sha256').update(resource).digest('hex').slice(0, 16)}`
}

function parseName(scope: string): ScopeName {
  const [resource = '', operation = ''] = scope.split('/')
  return { scope, resource, op: operation.split('-')[0] ?? '' }
}

type StraySearch = () => Promise<ReadonlyMap<number, string>>

/**
 * Looks for processes by their mark, wherever they are. Where control groups are the proof this is
 * a second net only: a search that hangs on a stranger's process must not fail our own operations.
 */
function straySearch(node: string, kind: MechanismKind, warn: ScopesOptions['warn']): StraySearch {
  return async () => {
    try {
      return await markedProcesses(node)
    } catch (error) {
      if (kind === 'marker') throw error
      warn(`${(error as Error).message}; only control groups are looked at`)
      return new Map()
    }
  }
}

function among(marked: ReadonlyMap<number, string>, scopes: readonly string[]): number[] {
  return [...marked].filter(([, scope]) => scopes.includes(scope)).map(([pid]) => pid)
}

async function clear(
  mechanism: Mechanism,
  strays: StraySearch,
  scopes: readonly string[],
  how: ClearOptions,
): Promise<Cleared> {
  const outside = async () => (how.strays ? among(await strays(), scopes) : [])
  const look = async () => [...new Set([...(await mechanism.pids(scopes)), ...(await outside())])]
  let left = await look()
  const found = left.map(describeOne)
  if (left.length > 0 && how.graceMs > 0) {
    for (const pid of left) {
      signal(pid, 'SIGTERM')
      signal(pid, 'SIGCONT') // A stopped process cannot hear it.
    }
    left = await waitUntilNone(look, how.graceMs)
  }
  const killed = left.map(describeOne)
  const open = new Set(scopes)
  const untilMs = performance.now() + how.boundMs
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
    for (const scope of open) if (await mechanism.remove(scope)) open.delete(scope)
    const astray = await outside()
    if (open.size === 0 && astray.length === 0) return { gone: true, found, killed, because: '' }
    await mechanism.kill([...open])
    for (const pid of astray) signal(pid, 'SIGKILL')
    if (performance.now() > untilMs) break
    await sleep(waitMs)
  }
  const stuck = (await look()).slice(0, 4).map(describeStuck)
  const because = `cannot be killed: ${stuck.join(', ') || 'processes that /proc does not show'}`
  return { gone: false, found, killed, because }
}

async function waitUntilNone(look: () => Promise<number[]>, graceMs: number): Promise<number[]> {
  const untilMs = performance.now() + graceMs
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
    await sleep(waitMs)
    const left = await look()
    if (left.length === 0 || performance.now() > untilMs) return left
  }
}
