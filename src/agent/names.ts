/**
 * Every fence agent that Picket brings, and the program behind it: what `picket agents install`
 * places, and what a name means.
 */
import { agentNames } from '../recorder/names.ts'
import { driverFacts } from './facts.ts'

export interface Agent {
  /** As Pacemaker and people call it. */
  readonly name: string
  /** The program that it starts, below `src`; agents of one program are links to the first. */
  readonly program: string
  readonly title: string
}

/** Hands fencing to somebody else; it says of itself what the others are told here. */
const recorder = {
  program: 'recorder/main',
  title: 'Picket: hands fencing to an external component, and records it',
}

/** The program of most of them. */
const ours = 'agent/main'

/** No driver in its name: `driver=…`, or the levels of a configuration. */
export const anyAgent = 'fence_picket'
/** Looks, and presses nothing. */
export const verifyAgent = 'fence_picket_verify'

/** How the agent of a driver is called. */
export function agentOf(driver: string): string {
  return `${anyAgent}_${driver.replaceAll('-', '_')}`
}

/** The driver in the name of an agent; `undefined` where it names none. */
export function driverIn(agent: string): string | undefined {
  return Object.keys(driverFacts).find((driver) => agentOf(driver) === agent)
}

export const agents: readonly Agent[] = [
  {
    name: anyAgent,
    program: ours,
    title: 'Picket: an off that is read back, by any of its drivers or by a configuration',
  },
  ...Object.entries(driverFacts).map(([driver, { title }]) => ({
    name: agentOf(driver),
    program: ours,
    title,
  })),
  {
    name: verifyAgent,
    program: ours,
    title: 'Picket: the second device of a level, which proves what the first one claims',
  },
  ...agentNames.map((name) => ({ name, ...recorder })),
]
