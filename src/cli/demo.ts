/** `picket demo`: the main job on real parts, told as stories; in the simulator where they lack. */
import { readFileSync } from 'node:fs'
import { begin, deadlineMs, step } from '../core/cluster.ts'
import { checkerReports, whyNoTrial } from '../demo/blind.ts'
import { closing, heading, picture, timelineOf } from '../demo/show.ts'
import { raise, restore, type Stage, strike } from '../demo/stage.ts'
import { type Story, stories } from '../demo/stories.ts'
import { downLab, type Profile, whyNoLab } from '../lab/lab.ts'
import { play } from '../sim/scenario.ts'
import { defineCommand, type ExitCode, standsAlone, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

const names = stories.map((story) => story.name)

export const command = defineCommand({
  name: 'demo',
  about: `See failovers on this machine: three real Corosync nodes in namespaces, two BMCs each, a
service on a virtual address, and an outside checker that believes nothing. Each story breaks
something and shows what happened when. Ends with 0 only if every promise held.

Needs root and the packages that \`npm run demo\` installs; without them the same story is played in
the simulator.

Stories: ${names.join(', ')}, blind (the checker is tried:
without fencing it must report an overlap).`,
  flags: {
    story: { title: 'Only this one', value: 'NAME' },
    profile: { title: 'Corosync timing: lan (default) or default', value: 'NAME' },
    simulate: { title: 'Play in the simulator, also where the real parts are at hand' },
  },
  run: async ({ flags }, terminal) => {
    if (flags.simulate) standsAlone(flags, 'simulate')
    const profile = profileOf(flags.profile)
    const chosen = stories.filter(({ name }) => flags.story === undefined || name === flags.story)
    const blind = flags.story === undefined || flags.story === 'blind'
    if (chosen.length === 0 && !blind) {
      throw new UsageError(
        `there is no story "${flags.story}"; there are ${names.join(', ')}, blind`,
      )
    }
    const why = flags.simulate ? 'you asked for the simulator' : whyNoLab()
    if (why !== undefined) return inSimulator(why, terminal)
    const untried = blind ? whyNoTrial() : undefined
    if (untried !== undefined) {
      if (chosen.length === 0) throw new UsageError(`${untried}.`)
      terminal.err(`Left out: ${untried}.`)
    }
    return onRealParts({ chosen, blind: blind && untried === undefined, profile }, terminal)
  },
})

interface Plan {
  readonly chosen: readonly Story[]
  readonly blind: boolean
  readonly profile: Profile
}

async function onRealParts(plan: Plan, screen: Terminal): Promise<ExitCode> {
  const { paint } = screen
  let left = false
  // Who has pressed Ctrl-C reads no verdict about what it broke off.
  const terminal: Terminal = { ...screen, out: (text) => void (left || screen.out(text)) }
  terminal.out(paint('strong', 'Picket on real parts: Corosync, IPMI, a virtual address'))
  terminal.out(picture)
  await downLab('demo')
  const leave = () => {
    screen.err('Stopped; the lab is taken down.')
    left = true
    void downLab('demo').finally(() => process.exit(130))
  }
  process.once('SIGINT', leave)
  process.once('SIGTERM', leave)
  const count = plan.chosen.length + (plan.blind ? 1 : 0)
  let broken = 0
  try {
    if (plan.chosen.length > 0) broken += await tell(plan, count, terminal)
    if (plan.blind) broken += await tryChecker(plan, count, terminal)
  } catch (error) {
    if (!left) throw error
  } finally {
    // The end of the process is on its way.
    if (left) await new Promise(() => {})
    await downLab('demo')
    process.off('SIGINT', leave)
    process.off('SIGTERM', leave)
  }
  terminal.out('')
  if (broken === 0) {
    terminal.out(paint('good', `✓ Every promise held in ${count} of ${count} stories.`))
    return 0
  }
  terminal.out(paint('bad', `✗ ${broken} of ${count} stories broke a promise.`))
  return 1
}

/** Tells the stories one after the other on one stage; how many broke a promise. */
async function tell(plan: Plan, count: number, terminal: Terminal): Promise<number> {
  const { paint } = terminal
  terminal.out('    raising three nodes, waiting until the service answers …')
  const stage = await raise({ profile: plan.profile })
  let broken = 0
  try {
    for (const [i, story] of plan.chosen.entries()) {
      for (const line of heading(i + 1, count, story, paint)) terminal.out(line)
      const outcome = await story.play(stage, (line) => terminal.out(`    … ${line}`))
      for (const line of timelineOf(outcome, paint)) terminal.out(line)
      for (const line of closing(outcome, paint)) terminal.out(line)
      if (outcome.broken.length > 0) broken++
      if (i + 1 < plan.chosen.length) await heal(stage, terminal)
    }
  } finally {
    await strike(stage)
  }
  return broken
}

async function heal(stage: Stage, terminal: Terminal): Promise<void> {
  const { paint } = terminal
  const beganMs = performance.now()
  await restore(stage)
  const tookS = ((performance.now() - beganMs) / 1000).toFixed(1)
  terminal.out(paint('dim', `    mended; all three nodes serve again after ${tookS} s`))
}

/**
 * Without fencing there must be an overlap, and the checker must see it: else it proves nothing.
 */
async function tryChecker(plan: Plan, count: number, terminal: Terminal): Promise<number> {
  const { paint } = terminal
  terminal.out('')
  terminal.out(paint('strong', `${count}/${count}  The checker itself is tried`))
  terminal.out(
    paint('dim', '    The same cluster with fencing mutated away: it believes without proof.'),
  )
  const seen = await checkerReports(plan.profile, (line) => terminal.out(`    … ${line}`))
  if (seen.length > 0) {
    for (const line of seen.slice(0, 4)) terminal.out(`    the checker reports: ${line}`)
    terminal.out(`    ${paint('good', '✓')} an overlap does not escape it`)
    return 0
  }
  terminal.out(`    ${paint('bad', '✗')} two nodes ran the service, and the checker saw nothing`)
  return 1
}

/** The same story in virtual time, for machines without the parts or the rights. */
function inSimulator(why: string, terminal: Terminal): ExitCode {
  terminal.out(`In the simulator, because ${why}`)
  const file = new URL('../../test/scenarios/demo.txt', import.meta.url)
  const expected = readFileSync(file, 'utf8')
  const actual = play({ begin, step, deadlineMs }, expected)
  terminal.out(actual)
  const held = !actual.includes('BROKEN')
  terminal.out(held ? '✓ Every promise held.' : '✗ A promise was broken.')
  return held ? 0 : 1
}

function profileOf(text: string | undefined): Profile {
  if (text === undefined || text === 'lan') return 'lan'
  if (text === 'default') return 'default'
  throw new UsageError(`the profile is lan or default, not "${text}"`)
}
