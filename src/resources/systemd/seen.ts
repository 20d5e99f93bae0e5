/**
 * What systemd says of a unit, read out of the properties that it sends, and what that means.
 * Whatever is missing or of another type than documented counts as the worst it could be.
 *
 * @source org.freedesktop.systemd1(5), "Unit Objects" and "Service Unit Objects".
 */
import type { Value } from '../../dbus/marshal.ts'

export interface Seen {
  /** The unit's own name; another one than asked for when that was an alias. */
  readonly id: string
  readonly loadState: string
  readonly loadError: string
  readonly activeState: string
  readonly subState: string
  /** `enabled`, `disabled`, `static` … */
  readonly fileState: string
  /** Empty for what has no file, such as a mount of /proc/self/mountinfo. */
  readonly file: string
  readonly jobQueued: boolean
  readonly needsReload: boolean
  readonly refusesStart: boolean
  /** Units that start it with themselves. */
  readonly pulledInBy: readonly string[]
  readonly triggeredBy: readonly string[]
  /** Units that it is stopped after. */
  readonly before: readonly string[]
  /** Of a service: `simple`, `oneshot` … Empty for a mount. */
  readonly type: string
  readonly remainsAfterExit: boolean
  readonly result: string
  readonly exitStatus: number
  readonly processes: readonly { readonly pid: number; readonly command: string }[]
}

const DAEMON = 'picketd.service'
const PULLS = ['WantedBy', 'RequiredBy', 'UpheldBy', 'BoundBy']

export function seenIn(pairs: readonly Value[], processes: readonly Value[]): Seen {
  const properties = new Map(
    pairs.map((pair) => {
      const [name, variant] = pair as readonly [string, { readonly value: Value }]
      return [name, variant.value]
    }),
  )
  const text = (name: string) => {
    const value = properties.get(name)
    return typeof value === 'string' ? value : ''
  }
  const list = (name: string) => {
    const value = properties.get(name)
    return Array.isArray(value) ? value.map(String) : []
  }
  const first = (name: string) => {
    const value = properties.get(name)
    return Array.isArray(value) ? value[0] : undefined
  }
  return {
    id: text('Id'),
    loadState: text('LoadState'),
    loadError: String((properties.get('LoadError') as readonly Value[] | undefined)?.[1] ?? ''),
    activeState: text('ActiveState'),
    subState: text('SubState'),
    fileState: text('UnitFileState'),
    file: text('SourcePath') || text('FragmentPath'),
    jobQueued: first('Job') !== 0,
    needsReload: properties.get('NeedDaemonReload') === true,
    refusesStart: properties.get('RefuseManualStart') === true,
    pulledInBy: PULLS.flatMap(list),
    triggeredBy: list('TriggeredBy'),
    before: list('Before'),
    type: text('Type'),
    remainsAfterExit: properties.get('RemainAfterExit') === true,
    result: text('Result'),
    exitStatus: Number(properties.get('ExecMainStatus') ?? 0),
    processes: processes.map((one) => {
      const [, pid, command] = one as readonly [string, number, string]
      return { pid, command: String(command).slice(0, 60) }
    }),
  }
}

/** In words, for example `active (running)`. */
export function stateOf({ activeState, subState }: Seen): string {
  return `${activeState || 'in no state'} (${subState})`
}

/** Nothing of it runs and nothing is about to begin: only then it is stopped. */
export function isGone({ activeState, jobQueued, processes }: Seen): boolean {
  const down = activeState === 'inactive' || activeState === 'failed'
  return down && !jobQueued && processes.length === 0
}

/** Why it is not gone although it is not up either. */
export function remainsOf(seen: Seen): string {
  const parts = [stateOf(seen)]
  if (seen.jobQueued) parts.push('with a job of systemd under way')
  if (seen.processes.length > 0) {
    const some = seen.processes.slice(0, 3).map(({ pid, command }) => `${command} (pid ${pid})`)
    parts.push(`with ${seen.processes.length} of its processes left: ${some.join(', ')}`)
  }
  return parts.join(', ')
}

/** Why this node cannot run it at all, with what mends it; `undefined` when it can. */
export function whyNotLoaded(unit: string, { loadState, loadError }: Seen): string | undefined {
  const what = loadError === '' ? '' : ` (${loadError})`
  switch (loadState) {
    case 'loaded':
      return undefined
    case 'not-found':
      return `there is no ${unit} on this node; install it, or take this node out of \`nodes\``
    case 'masked':
      return `${unit} is masked on this node; run \`systemctl unmask ${unit}\``
    case 'bad-setting':
    case 'error':
      return `systemd cannot use ${unit}${what}; see \`systemd-analyze verify ${unit}\``
    default:
      return `systemd has not loaded ${unit}: ${loadState || 'it says nothing of it'}${what}`
  }
}

/**
 * Why it may not be started by us: something else starts it as well, so that it could run on two
 * nodes (safety.md, S19), or it could not be stopped. `undefined`: it may.
 */
export function whyNotOurs(unit: string, seen: Seen): string | undefined {
  const { id, fileState, file, pulledInBy, before } = seen
  if (id !== unit) return `${unit} is another name of ${id}; write \`unit: ${id}\``
  if (fileState.startsWith('enabled')) {
    const runtime = fileState.endsWith('-runtime') ? ' --runtime' : ''
    const mend = `systemctl disable${runtime} ${unit}`
    return `${unit} is ${fileState}, so systemd starts it at every boot; run \`${mend}\``
  }
  if (fileState === 'generated' && pulledInBy.some((one) => one.endsWith('.target'))) {
    const mend = unit.endsWith('.mount') ? 'give it the option noauto there' : 'disable it there'
    return `${unit} is made of ${file || 'another file'} and starts at every boot; ${mend}`
  }
  if (before.includes(DAEMON)) {
    const because = 'systemd would stop it only after picketd, which ends only after it'
    return `${unit} is ordered before ${DAEMON}: ${because}; take that \`Before=\` out`
  }
  return undefined
}
