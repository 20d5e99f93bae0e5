/** What the agent only looks at: is there a responder, which nodes it knows, how their power is. */
import type { AgentCode, AgentWorld } from './agent.ts'
import { type Alive, awaitAnswerer } from './alive.ts'
import { ask } from './ask.ts'
import { recorderNode } from './log.ts'
import { makeOurs, openPlace, type Place } from './place.ts'
import type { Settings } from './settings.ts'

/** 0 only while somebody answers: a fencing that nobody would carry out is found out before. */
export async function monitor(settings: Settings, world: AgentWorld): Promise<AgentCode> {
  makeOurs(settings.logDir)
  const alive = await answerer(openPlace(settings.directory), world)
  if (alive === undefined) return 1
  const unknown = unknownTo(alive, settings.plugs)
  if (unknown === undefined) return 0
  world.err(`Failed: the responder (${alive.name}) does not know ${unknown}`)
  return 1
}

async function answerer(place: Place, { err }: AgentWorld): Promise<Alive | undefined> {
  const found = await awaitAnswerer(place)
  if (typeof found !== 'string') return found
  err(`Failed: nobody answers in ${place.dir}: ${found}`)
  return undefined
}

function unknownTo({ nodes }: Alive, plugs: readonly string[]): string | undefined {
  return nodes && plugs.find((plug) => !nodes.includes(plug))
}

/** The nodes that the responder says it knows. */
export async function list(
  settings: Settings,
  withStatus: boolean,
  world: AgentWorld,
): Promise<AgentCode> {
  const { directory, separator } = settings
  const place = openPlace(directory)
  const alive = await answerer(place, world)
  if (alive === undefined) return 1
  const nodes = alive.nodes ?? []
  if (nodes.length === 0) world.err(`The responder (${alive.name}) does not tell its nodes`)
  const lines = await Promise.all(
    nodes.map(async (node) => {
      const power = withStatus ? (await powerOf(settings, place, node)).power.toUpperCase() : ''
      return [node, '', ...(withStatus ? [power] : [])].join(separator)
    }),
  )
  for (const line of lines) world.out(line)
  return 0
}

/** 0 on, 2 off, 1 for everything else. */
export async function status(settings: Settings, world: AgentWorld): Promise<AgentCode> {
  const place = openPlace(settings.directory)
  const powers = await Promise.all(settings.plugs.map((plug) => powerOf(settings, place, plug)))
  const unknown = powers.find(({ power }) => power === 'unknown')
  if (powers.some(({ power }) => power === 'on')) return told(world, 'ON', 0)
  if (unknown === undefined) return told(world, 'OFF', 2)
  world.err(`Failed: Unable to obtain correct plug status: ${unknown.because}`)
  return 1
}

function told({ out }: AgentWorld, power: string, code: AgentCode): AgentCode {
  out(`Status: ${power}`)
  return code
}

type Power = { readonly power: 'on' | 'off' | 'unknown'; readonly because: string }

async function powerOf(settings: Settings, place: Place, target: string): Promise<Power> {
  const { timeoutMs, priority } = settings
  const about = { place, action: 'status', target, recorder: recorderNode() } as const
  const answer = await ask({ ...about, filesystems: [], timeoutMs, priority })
  if (!answer.ok) return { power: 'unknown', because: answer.because }
  const { success, power = 'unknown', message } = answer.response
  return { power: success ? power : 'unknown', because: message || 'the responder does not tell' }
}
