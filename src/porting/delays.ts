/**
 * The delays of Pacemaker's devices, as one rule of Picket's: a delay for every fencing, a random
 * one, and a longer one for the node that is to win where two would fence each other.
 */
import type { CibDevice } from './cib.ts'
import type { DraftNode, Remark } from './draft.ts'
import { spanSeconds } from './parameters.ts'

interface Delay {
  readonly base: number
  readonly random: number
}

/** Options of the section `fence`; the node that is waited for gets a priority. */
export function delaysOf(
  nodes: readonly DraftNode[],
  firstDevices: ReadonlyMap<string, CibDevice>,
  remarks: Remark[],
): Readonly<Record<string, number>> {
  const delays = new Map(
    nodes.flatMap(({ name }) => {
      const device = firstDevices.get(name)
      return device === undefined ? [] : [[name, delayFor(name, device, remarks)] as const]
    }),
  )
  const bases = [...delays.values()].map(({ base }) => base)
  const least = Math.min(...bases)
  const longest = Math.max(...bases)
  const random = Math.max(0, ...[...delays.values()].map((each) => each.random))
  if (bases.length === 0 || (longest === 0 && random === 0)) return {}
  const waited = nodes.filter(({ name }) => delays.get(name)?.base === longest)
  const exact = bases.every((base) => base === least || base === longest)
  const [winner] = waited
  if (longest > least && winner !== undefined) {
    winner.priority = 1
    if (waited.length > 1 || !exact) {
      const text =
        `the delays differ for more than one node; ${winner.name} has got priority 1 and ` +
        'fence.priority_delay_seconds, look at both'
      remarks.push({ lost: true, line: 0, text })
    }
  }
  const wanted = {
    delay_seconds: { value: least, max: 3600 },
    delay_random_seconds: { value: random, max: 600 },
    priority_delay_seconds: { value: longest - least, max: 600 },
  }
  return Object.fromEntries(
    Object.entries(wanted).flatMap(([name, { value, max }]) => {
      if (value === 0) return []
      if (value > max) {
        const text = `a delay of ${value} s is longer than fence.${name} may be; it is ${max} s now`
        remarks.push({ lost: true, line: 0, text })
      }
      return [[name, Math.min(value, max)]]
    }),
  )
}

/** `pcmk_delay_base` may be one for all or `n1:0s;n2:5s`; the agent's own delay comes on top. */
function delayFor(node: string, { id, parameters, line }: CibDevice, remarks: Remark[]): Delay {
  const read = (name: string, text: string | undefined): number => {
    if (text === undefined || text === '') return 0
    const span = spanSeconds(text)
    if (span !== undefined) return span
    const lost = `${name} of ${id} is no span of time; it is taken for 0`
    if (!remarks.some((each) => each.text === lost)) remarks.push({ lost: true, line, text: lost })
    return 0
  }
  const written = parameters.get('pcmk_delay_base') ?? ''
  const own = /[:=]/.test(written)
    ? written
        .split(/[;\s]+/)
        .map((each) => each.split(/[:=]/))
        .find(([name]) => name?.toLowerCase() === node.toLowerCase())?.[1]
    : written
  const base = read('pcmk_delay_base', own)
  const max = read('pcmk_delay_max', parameters.get('pcmk_delay_max'))
  return {
    base: base + read('delay', parameters.get('delay')),
    random: Math.max(0, max - base),
  }
}
