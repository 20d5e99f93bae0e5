/** `picket explain`: why a resource is where it is, and why it is not elsewhere. */
import type { CloneExplanation, Explanation } from '../core/explain.ts'
import { failureText } from '../core/failures.ts'
import { defineCommand, UsageError } from './command.ts'
import { askOnce, ControlError, type Line, socketPath } from './control.ts'
import { mark, type Paint, plain } from './marks.ts'

export const command = defineCommand({
  name: 'explain',
  words: ['RESOURCE'],
  about: `Asks the picketd of this node where a resource is, where it belongs, why there, and why on
none of its other nodes. Of a clone it tells that of every instance, of NAME@NODE of one. Changes
nothing.`,
  flags: {
    json: { title: 'Print the same as JSON' },
    socket: { value: 'PATH', title: "picketd's control socket" },
  },
  async run({ words: [resource], flags: { json = false, socket } }, terminal) {
    if (resource === undefined) throw new UsageError('RESOURCE is missing.')
    try {
      const asked = askOnce(socketPath(socket), { do: 'explain', resource })
      const answer = await terminal.during('asking picketd', asked)
      const refused = refusalIn(answer)
      if (refused !== undefined) {
        terminal.err(`picket explain: ${refused}.`)
        return 3
      }
      const found = explanationIn(answer)
      if (json) terminal.out(JSON.stringify(found))
      else for (const line of linesOf(found, terminal.paint)) terminal.out(line)
      return 0
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      terminal.err(`picket explain: ${error.message}.`)
      return 1
    }
  },
})

type Told = Explanation | CloneExplanation

/** What picketd has against the question: it knows no resource of that name. */
function refusalIn({ explanation, because }: Line): string | undefined {
  return explanation === undefined && typeof because === 'string' ? plain(because) : undefined
}

function explanationIn({ explanation }: Line): Told {
  if (typeof explanation === 'object' && explanation !== null) return explanation as Told
  throw new ControlError('picketd did not explain it')
}

function linesOf(told: Told, paint: Paint): string[] {
  if (!('instances' in told)) return sentences(told, paint)
  const { id, max, instances, elsewhere } = told
  const up = instances.filter(({ state }) => state === 'running').length
  const head = `${plain(id)} is a clone: it runs on ${up} of ${max} nodes`
  return [
    mark(up === max ? 'good' : 'wait', head, paint),
    ...instances.flatMap((each) => sentences(each, paint)),
    ...notOn(elsewhere),
  ]
}

function notOn(elsewhere: Explanation['elsewhere']): string[] {
  const nodes = Object.keys(elsewhere)
  const width = Math.max(0, ...nodes.map((each) => each.length))
  return nodes.map((each) => `  not on ${plain(each).padEnd(width)}  ${plain(elsewhere[each]!)}`)
}

function sentences(
  {
    id,
    thing,
    node,
    state,
    because,
    belongs,
    why,
    waits,
    elsewhere,
    wishes,
    live,
    intents,
    checks,
    failures,
  }: Explanation,
  paint: Paint,
): string[] {
  const where = node === undefined ? 'runs nowhere' : `is ${state} on ${node}`
  const well = state === 'running' && node === belongs
  const told = because === '' ? '' : `: ${because}`
  return [
    mark(
      well ? 'good' : 'wait',
      `${plain(id)} (${plain(thing)}) ${plain(`${where}${told}`)}`,
      paint,
    ),
    belongs === undefined
      ? `  it belongs nowhere now: ${plain(why)}`
      : `  it belongs on ${plain(belongs)}: ${plain(why)}`,
    ...(waits === '' ? [] : [`  ${plain(waits)}`]),
    ...notOn(elsewhere),
    ...Object.entries(failures).map(([at, failure]) => `  ${plain(failureText(at, failure))}`),
    ...intents.map((intent) => `  ordered: ${plain(intent)}`),
    ...checks.map((check) => `  check: ${plain(check)}`),
    ...wishes.map((wish) => `  wish: ${plain(wish)}`),
    ...(live === '' ? [] : [`  it ${plain(live)}`]),
  ]
}
