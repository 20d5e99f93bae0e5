/**
 * The stories of the demonstration, each told on real parts: break something, watch, and check what
 * must be true afterwards. The tests play the same stories.
 */
import type { Status } from '../core/status.ts'
import { bmc, crash, cut, freeze, type Lab, nowMs, readBmcLog, thaw, until } from '../lab/lab.ts'
import { activeNode, type Stage, statusFrom } from './stage.ts'
import { readTimeline, type Timeline } from './timeline.ts'
import { answering, interruption, ownersOf } from './witness.ts'

/** What became of a story. `broken` lists every promise that did not hold. */
export interface Outcome {
  readonly victim: string
  readonly beganMs: number
  readonly timeline: Timeline
  readonly interruption: ReturnType<typeof interruption>
  /** Where the service runs now; `undefined` when nobody has it. */
  readonly now: string | undefined
  /** What people read beside the timeline. */
  readonly remarks: readonly string[]
  readonly broken: readonly string[]
}

export interface Story {
  readonly name: string
  readonly title: string
  /** What happens, in a sentence or two. */
  readonly about: string
  readonly play: (stage: Stage, tell: (line: string) => void) => Promise<Outcome>
}

const FAILOVER_MS = 30_000
/** How long nothing may move, at least, when a node cannot be proven dead. */
const STILL_MS = 12_000
/** Within this all levels have failed once, and the status says what a person can do. */
const ADVICE_MS = 45_000

export const stories: readonly Story[] = [
  {
    name: 'crash',
    title: 'The active node loses its power',
    about:
      'Everything on it dies at once. Its BMC is asked all the same: off means read back as off.',
    play: (stage, tell) =>
      failover(stage, async (lab, victim) => {
        tell(`${victim} loses its power`)
        await crash(lab, victim)
      }),
  },
  {
    name: 'cut',
    title: 'The active node loses the network',
    about: 'It runs on, it has the address, it cannot be asked: it has to be shot first.',
    play: (stage, tell) =>
      failover(stage, async (lab, victim) => {
        tell(`both links of ${victim} are cut`)
        await cut(lab, victim)
      }),
  },
  {
    name: 'freeze',
    title: 'The active node freezes, and thaws in the middle of its fence',
    about: 'Its BMC takes two seconds to carry out the off; after one the node wakes up again.',
    play: (stage, tell) =>
      failover(stage, async (lab, victim) => {
        await bmc(lab, victim, 1, { mode: 'slow', ms: 2_000 })
        tell(`${victim} freezes`)
        const beganMs = nowMs()
        await freeze(lab, victim)
        await until(() => wasPressed(lab, victim, beganMs), FAILOVER_MS, 20)
        await new Promise((done) => setTimeout(done, 1_000))
        tell(`${victim} thaws while its BMC is still at it`)
        await thaw(lab, victim).catch(() => undefined)
      }),
  },
  {
    name: 'ignore',
    title: 'The first BMC says yes and does nothing',
    about: 'An accepted command proves nothing. Level 1 never reads as off, so level 2 does it.',
    play: (stage, tell) =>
      failover(stage, async (lab, victim) => {
        await bmc(lab, victim, 1, { mode: 'ignore' })
        tell(`both links of ${victim} are cut; its first BMC ignores every off`)
        await cut(lab, victim)
      }),
  },
  {
    name: 'lie',
    title: 'A frozen node, and BMCs that lie',
    about:
      'Both BMCs say off while the node is on. But its addresses still answer: nothing may move.',
    play: (stage, tell) =>
      standstill(stage, async (lab, victim) => {
        for (const level of [1, 2] as const) await bmc(lab, victim, level, { mode: 'lie' })
        tell(`${victim} freezes; both of its BMCs say off and do nothing`)
        await freeze(lab, victim)
        return async () => {
          tell(`${victim} thaws`)
          await thaw(lab, victim)
        }
      }),
  },
  {
    name: 'deaf',
    title: 'Both BMCs are deaf',
    about: 'Nobody can prove the node dead, so its service stays where it may still be running.',
    play: (stage, tell) =>
      standstill(stage, async (lab, victim) => {
        for (const level of [1, 2] as const) await bmc(lab, victim, level, { mode: 'hang' })
        tell(`both links of ${victim} are cut; none of its BMCs answers`)
        await cut(lab, victim)
        return undefined
      }),
  },
]

/** A node fails, is proven dead, and its service answers from another one. */
async function failover(
  stage: Stage,
  misfortune: (lab: Lab, victim: string) => Promise<void>,
): Promise<Outcome> {
  const { lab, witness } = stage
  const victim = activeNode(stage)
  const beganMs = nowMs()
  await misfortune(lab, victim)
  const moved = await until(
    () => {
      const node = answering(witness.answers)
      return node !== undefined && node !== victim
    },
    FAILOVER_MS,
    20,
  )
  // A writer that comes back late shows within its next few stamps.
  await new Promise((done) => setTimeout(done, 1_500))
  const timeline = readTimeline(lab, victim, beganMs)
  const [now] = ownersOf(lab)
  const broken = [...witness.overlaps()]
  if (!moved) broken.push(`the service did not come back within ${FAILOVER_MS / 1000} s`)
  const { confirmedMs = Infinity, startedMs = -Infinity } = timeline
  if (moved && !(startedMs > confirmedMs)) {
    broken.push('the service was started without a confirmed off before it')
  }
  const gap = interruption(witness.answers, beganMs)
  return { victim, beganMs, timeline, interruption: gap, now, remarks: [], broken }
}

/** A node fails and cannot be proven dead: nothing moves, and the status says why. */
async function standstill(
  stage: Stage,
  misfortune: (lab: Lab, victim: string) => Promise<(() => Promise<void>) | undefined>,
): Promise<Outcome> {
  const { lab, witness } = stage
  const victim = activeNode(stage)
  const beganMs = nowMs()
  const after = await misfortune(lab, victim)
  const other = lab.nodes.find((node) => node !== victim)!
  const hasMoved = () => ownersOf(lab).some((node) => node !== victim)
  await until(hasMoved, STILL_MS, 50)
  const status = await until(
    async () => {
      const seen = await statusFrom(stage, other)
      return hasMoved() || advised(seen) ? seen : undefined
    },
    beganMs + ADVICE_MS - nowMs(),
    500,
  )
  const broken = hasMoved() ? ['the address moved although nothing was proven'] : []
  const blocked = status?.resources.find((resource) => resource.state === 'blocked')
  const remarks = [
    ...(status?.nodes ?? [])
      .filter((node) => node.id === victim)
      .map((node) => `status: ${node.id} is ${node.standing}: ${node.fencing?.at ?? node.because}`),
    ...(blocked ? [`status: ${blocked.id}: ${blocked.because}`] : []),
    ...(status?.advice ?? []).map((line) => `advice: ${line}`),
  ]
  if (blocked === undefined) broken.push('the status does not say that the service is blocked')
  if (!advised(status)) broken.push('the status does not say what to do')
  if (after !== undefined) {
    await after()
    await new Promise((done) => setTimeout(done, 3_000))
  }
  broken.push(...witness.overlaps())
  const timeline = readTimeline(lab, victim, beganMs)
  if (timeline.confirmedMs !== undefined) broken.push(`an off was confirmed that never happened`)
  const gap = interruption(witness.answers, beganMs)
  return { victim, beganMs, timeline, interruption: gap, now: undefined, remarks, broken }
}

/** Does the status say what a person can do about a node that nobody can prove off? */
function advised(status: Status | undefined): boolean {
  return status?.advice.some((line) => line.includes('cannot be proven off')) === true
}

async function wasPressed(lab: Lab, victim: string, sinceMs: number): Promise<boolean> {
  const log = await readBmcLog(lab, victim, 1)
  return log.some((record) => record.command === 'off' && record.atMs >= sinceMs)
}
