/**
 * The cluster on one screen, as one node sees it. Every mark stands beside a word, so that nothing
 * is lost without colours.
 */

import { failureText } from '../core/failures.ts'
import { checkText } from '../core/health.ts'
import type {
  DeviceStatus,
  FencingStatus,
  NodeStatus,
  ResourceStatus,
  Status,
} from '../core/status.ts'
import { heldBy } from './held.ts'
import { type Mark, mark, type Paint, plain } from './marks.ts'
import { ringLines } from './screen-ring.ts'

/** A status as it comes from picketd, with what stands until somebody mends it. */
export type Shown = Status & { readonly alarms?: readonly string[] }

/** The lines of `picket status`. */
export function screen(status: Shown, paint: Paint): readonly string[] {
  const { nodes, resources, advice, alarms = [] } = status
  const shown = resources.map(({ id, clone }) => clone?.id ?? id)
  const width = Math.max(0, ...[...nodes.map(({ id }) => id), ...shown].map((id) => id.length))
  return [
    ...header(status, paint),
    ...ringLines(status, paint),
    '',
    paint('strong', 'Nodes'),
    ...nodes.flatMap((node) => nodeLines(node, status, width, paint)),
    ...(resources.length > 0 ? ['', paint('strong', 'Resources')] : []),
    ...resources.flatMap((resource) => [
      ...resourceLines(resource, resources, width, paint),
      ...failureLines(resource, paint),
    ]),
    ...intentLines(status, paint),
    ...orderLines(status, paint),
    ...(alarms.length > 0 ? ['', paint('strong', 'Alarms')] : []),
    ...alarms.map((sentence) => `  ${mark('bad', plain(sentence), paint)}`),
    ...(advice.length > 0 ? ['', paint('strong', 'What to do')] : []),
    ...advice.map((sentence) => `  ${paint('wait', '!')} ${plain(sentence)}`),
  ]
}

function header(status: Status, paint: Paint): string[] {
  const { cluster, self, ready, because, quorate, ring, coordinator, resources } = status
  const blocked = resources.filter(({ state }) => troubled(state)).map(({ id }) => plain(id))
  const state = !ready
    ? mark('bad', `cannot decide now: ${plain(because)}`, paint)
    : blocked.length > 0
      ? mark('wait', `decides, but see ${blocked.join(', ')}`, paint)
      : mark('good', 'ready', paint)
  const facts = [
    `seen from ${plain(self)}`,
    quorate ? 'quorum yes' : paint('bad', 'quorum no'),
    `ring ${plain(ringAsLogged(ring)) || 'none'}`,
    `coordinator ${plain(coordinator ?? 'none')}`,
  ]
  return [`${paint('strong', plain(cluster))}  ${state}`, paint('dim', facts.join(', '))]
}

/** As Corosync's log and its tools write it: the sequence is hexadecimal there. */
function ringAsLogged(ring: string): string {
  const [representative, sequence] = ring.split('.')
  return sequence === undefined ? ring : `${representative}.${Number(sequence).toString(16)}`
}

const standings: Readonly<Record<NodeStatus['standing'], Mark>> = {
  member: 'good',
  left: 'dim',
  lost: 'bad',
  condemned: 'bad',
  fenced: 'wait',
}

function nodeLines(node: NodeStatus, status: Status, width: number, paint: Paint): string[] {
  const { id, standing, because, inRing, daemon, barred, late, fencing } = node
  const { deferred, devices, checks, quarantined, deferredForMs } = node
  const member = standing === 'member'
  const held = heldBy(node, status.resources)
  const wait = `not fenced yet: ${plain(deferred)}${latest(deferredForMs)}`
  const facts = [
    ...(id === status.self ? ['this node'] : []),
    ...(node.role === 'witness' ? ['witness: it runs nothing'] : []),
    ...(member && !inRing ? ['not in the ring'] : []),
    ...(member && inRing && !daemon ? ['picketd does not run there'] : []),
    ...(barred ? ['barred until an operator switches it on'] : []),
    ...(quarantined ? ['it was fenced: kept out until picket unfence'] : []),
    ...(late ? ['a late command may still reach it'] : []),
    ...(held === '' ? [] : [`holds ${held}`]),
  ]
  const well = member && inRing && daemon
  const kind = member && !well ? 'wait' : (standings[standing] ?? 'bad')
  const name = mark(kind, plain(id).padEnd(width), paint)
  return [
    `  ${name}  ${standing.padEnd(9)}  ${facts.join('; ')}`.trimEnd(),
    ...(member || because === '' ? [] : [`      because ${plain(because)}`]),
    ...(deferred === '' ? [] : [`      ${mark('wait', wait, paint)}`]),
    ...(fencing === undefined ? [] : [`      ${fencingText(fencing, paint)}`]),
    ...deviceLines(devices, paint),
    ...checks.map((each) => {
      const kind = each.verdict === 'failing' ? 'bad' : 'wait'
      return `      ${mark(kind, `check ${plain(checkText(each))}`, paint)}`
    }),
    ...watchdogLines(node.watchdog, inRing, paint),
  ]
}

/** By this clock: a bound is easier to wait for than a span. */
function latest(forMs: number | undefined): string {
  if (typeof forMs !== 'number') return ''
  return `; fenced at ${new Date(Date.now() + forMs).toTimeString().slice(0, 8)} at the latest`
}

function fencingText(fencing: FencingStatus, paint: Paint): string {
  const { action, owner, round, at, requester } = fencing
  const by = owner === undefined ? 'nobody presses at the moment' : `by ${plain(owner)}`
  const again = round > 0 ? `, try ${round + 1}` : ''
  const facts = `${plain(action)}${again}, ${by}, for ${plain(requester)}`
  return mark('wait', `fencing (${facts}): ${plain(at)}`, paint)
}

/** Healthy devices share a line; a broken one gets its own, with the reason. */
function deviceLines(devices: readonly DeviceStatus[], paint: Paint): string[] {
  const named = ({ id, driver, proves }: DeviceStatus) =>
    `${plain(driver)} ${plain(id)}${proves === undefined ? '' : ` (${plain(proves)})`}`
  const well = devices.filter(({ ok }) => ok === true)
  const unseen = devices.filter(({ ok }) => ok === undefined || ok === null)
  const broken = devices.filter(({ ok }) => ok === false)
  return [
    ...(well.length > 0 ? [`      ${mark('good', 'can be fenced via ', paint)}`] : []).map(
      (start) => start + well.map(named).join(', '),
    ),
    ...(unseen.length > 0
      ? [`      ${mark('dim', `not asked from this node: ${unseen.map(named).join(', ')}`, paint)}`]
      : []),
    ...broken.map((device) => {
      const text = `cannot be fenced via ${named(device)}: ${plain(device.detail)}`
      return `      ${mark('bad', text, paint)}`
    }),
  ]
}

/** A clone is one line, with those of its instances below it that are not as they should be. */
function resourceLines(
  resource: ResourceStatus,
  all: readonly ResourceStatus[],
  width: number,
  paint: Paint,
): readonly string[] {
  const { clone, thing, id } = resource
  if (clone === undefined) return [resourceLine(resource, width, paint)]
  const instances = all.filter((each) => each.clone?.id === clone.id)
  if (instances[0]?.id !== id) return []
  const up = instances.filter(({ state }) => state === 'running')
  const most = Math.min(clone.max, instances.length)
  const whole = up.length === most
  // Where there are enough, whoever is stopped has nothing to do.
  const astray = instances.filter(
    ({ state }) => state !== 'running' && !(whole && state === 'stopped'),
  )
  const kind: Mark = whole ? 'good' : astray.some(({ state }) => troubled(state)) ? 'bad' : 'wait'
  const nodes = up.map(({ node }) => plain(node ?? '')).join(' ')
  const text = `${plain(clone.id).padEnd(width)}  clone ${up.length}/${most}  ${nodes}`.trimEnd()
  const what = plain(thing).replace(/ @\S+$/, '')
  const below = astray.map(({ id: each, state, node, because }) => {
    const where = node === undefined ? '' : ` on ${plain(node)}`
    const reason = because === '' ? '' : `: ${plain(because)}`
    const line = `${plain(each)}  ${plain(state)}${where}${reason}`
    return `      ${mark(troubled(state) ? 'bad' : 'wait', line, paint)}`
  })
  return [`  ${mark(kind, text, paint)}  ${paint('dim', aside(what, resource))}`, ...below]
}

function watchdogLines(
  watchdog: NodeStatus['watchdog'],
  inRing: boolean,
  paint: Paint,
): readonly string[] {
  // What a node that is gone has said of itself is not true any more.
  if (watchdog === undefined || !inRing) return []
  const { armed, mode, timeoutMs, leaseMs, fedForMs, keeper, detail } = watchdog
  if (!armed) {
    const because = detail === '' ? 'it is not armed yet' : plain(detail)
    const nothing = mode === 'required' ? ', and takes nothing without' : ''
    const kind = detail === '' ? 'dim' : mode === 'required' ? 'bad' : 'wait'
    return [`      ${mark(kind, `no watchdog${nothing}: ${because}`, paint)}`]
  }
  const s = (spanMs: number) => `${Math.round(spanMs / 1_000)} s`
  const fed = fedForMs === undefined ? '' : `, fed for ${s(fedForMs)} as things are`
  const upgrade = keeper === false ? ', let go while picketd is replaced' : ''
  const text = `watchdog ${plain(detail)} (${s(timeoutMs)}), lease ${s(leaseMs)}${fed}${upgrade}`
  return [`      ${mark('good', text, paint)}`]
}

function resourceLine(resource: ResourceStatus, width: number, paint: Paint): string {
  const { id, thing, state, node, because } = resource
  const kind: Mark = state === 'running' ? 'good' : troubled(state) ? 'bad' : 'wait'
  const where = node === undefined ? '' : ` on ${plain(node)}`
  const reason = because === '' ? '' : `: ${plain(because)}`
  const text = `${plain(id).padEnd(width)}  ${plain(state)}${where}${reason}`
  return `  ${mark(kind, text, paint)}  ${paint('dim', aside(plain(thing), resource))}`
}

/** What it is, and what it belongs to. */
function aside(what: string, { group }: ResourceStatus): string {
  return group === undefined ? `(${what})` : `(${what}; group ${plain(group)})`
}

/** How often it has failed where: what an operator would clean up. */
function failureLines({ failures }: ResourceStatus, paint: Paint): string[] {
  return Object.entries(failures).map(([node, failure]) => {
    return `      ${mark('wait', plain(failureText(node, failure)), paint)}`
  })
}

function troubled(state: string): boolean {
  return state === 'blocked' || state === 'stuck' || state === 'unknown'
}

/** What stands until somebody takes it back, which is easily forgotten. */
function intentLines({ intents }: Status, paint: Paint): string[] {
  if (intents.length === 0) return []
  const lines = intents.map(({ text }) => `  ${mark('wait', plain(text), paint)}`)
  return ['', paint('strong', 'As operators want it'), ...lines]
}

function orderLines({ orders }: Status, paint: Paint): string[] {
  const open = orders.filter(({ at }) => at !== 'done' && at !== 'failed' && at !== 'refused')
  if (open.length === 0) return []
  const line = ({ action, resource, target, requester, at, because }: (typeof open)[number]) => {
    const about = [resource, target].filter((name) => name !== '').map(plain)
    const text = `${action} ${about.join(' ')} for ${plain(requester)}: ${at}`
    return `  ${mark('wait', text, paint)}${because === '' ? '' : `, ${plain(because)}`}`
  }
  return ['', paint('strong', 'Orders'), ...open.map(line)]
}
