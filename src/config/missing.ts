/**
 * Options that stand nowhere: one sentence for all nodes and all options of a driver, because one
 * entry, or the one secrets file that was forgotten, mends all of them.
 */
import type { Problem } from './problem.ts'

/** An option that a device lacks. */
export interface Lack {
  readonly driver: string
  readonly option: string
  /** A secret may stand in few places only. */
  readonly secret: boolean
  /** Whose device lacks it; undefined where it is no node's. */
  readonly node: string | undefined
}

/** No sentence names more of them. */
const nodesMax = 6

/** The problem, as long as it is alone. */
export function lacking(place: Omit<Problem, 'message'>, lack: Lack): Problem {
  return { ...place, message: sentence([lack]), lack }
}

/** All of them, with what one driver lacks told where it is lacking first. */
export function gathered(problems: readonly Problem[]): readonly Problem[] {
  const told = new Set<string>()
  return problems.flatMap((problem) => {
    const { lack } = problem
    if (lack === undefined) return [problem]
    if (told.has(lack.driver)) return []
    told.add(lack.driver)
    const alike = problems.filter((each) => each.lack?.driver === lack.driver)
    return sentences(alike.flatMap((each) => each.lack ?? [])).map((message) => ({
      ...problem,
      message,
    }))
  })
}

/** One for the options that the same nodes lack. */
function sentences(lacks: readonly Lack[]): string[] {
  const options = [...new Set(lacks.map(({ option }) => option))]
  const nodesOf = (option: string) =>
    lacks.filter((lack) => lack.option === option).map(({ node = '' }) => node)
  const groups = Map.groupBy(options, (option) => [...new Set(nodesOf(option))].join('\n'))
  return [...groups.values()].map((group) =>
    sentence(lacks.filter(({ option }) => group.includes(option))),
  )
}

/** `lacks` are of one driver, and every option of them lacks at the same nodes. */
function sentence(lacks: readonly Lack[]): string {
  const { driver } = lacks[0]!
  const once = (of: (lack: Lack) => string | undefined, some = lacks) => [
    ...new Set(some.flatMap((lack) => of(lack) ?? [])),
  ]
  const options = once(({ option }) => option)
  const nodes = once(({ node }) => node)
  const plain = once(({ option, secret }) => (secret ? undefined : option))
  const secret = once((lack) => (lack.secret ? lack.option : undefined))
  const what = `${options.length === 1 ? 'the option' : 'the options'} ${listed(options)}`
  const whose = nodes.length === 0 ? '' : ` for ${listed(nodes, nodesMax)}`
  const own = nodes.length === 0 ? '' : " or in the node's own fence entry"
  const below = nodes.length === 0 ? '' : ` or below ${driver}: ${nodes[0]}:`
  const places = [
    ...(plain.length === 0 ? [] : [`${listed(plain)} in fence.drivers.${driver}${own}`]),
    ...(secret.length === 0
      ? []
      : [
          `${listed(secret)} in the secrets file below ${driver}:${below} (or ` +
            `${secret[0]}_env or ${secret[0]}_credential where other options stand)`,
        ]),
  ]
  const verb = options.length === 1 ? 'is' : 'are'
  return `${what} of ${driver} ${verb} set nowhere${whose}; write ${places.join(', and ')}`
}

/** `a`, `a and b`, `a, b and c`; with a bound, `a, b and 7 more`. */
function listed(words: readonly string[], max = Infinity): string {
  const kept = words.length > max ? words.slice(0, max - 1) : words
  const more = words.length - kept.length
  const all = more === 0 ? kept : [...kept, `${more} more`]
  return all.length < 2 ? all.join('') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`
}
