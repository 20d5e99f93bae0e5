/**
 * `fence_recorder`: a fence agent that hands every fencing to a responder, and records it. Under
 * Pacemaker it is given its parameters on standard input, by hand as options.
 *
 * It loads nothing that it does not need: Pacemaker asks for the metadata of an agent with a short
 * patience, and an agent that is to fence should have begun before it has finished loading.
 */
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { agentNames } from './names.ts'
import { fromInput, fromWords, type Given } from './options.ts'
import { type AgentAction, actionOf, check, type Settings } from './settings.ts'

/** 0 done or on, 1 failed, 2 off: what the contract of fence agents knows. */
export type AgentCode = 0 | 1 | 2

export interface AgentWorld {
  /** How the agent was called. */
  readonly name: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** All of standard input; read to its end before anything else. */
  readonly input: () => Promise<string>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** Runs it. Never throws: whatever fails is a line on standard error. */
export async function runAgent(world: AgentWorld): Promise<AgentCode> {
  try {
    const given = world.args.length > 0 ? fromWords(world.args) : fromInput(await world.input())
    if (given.error !== undefined) throw new Error(given.error)
    for (const warning of given.warnings) world.err(warning)
    return await carryOut(world, given)
  } catch (error) {
    world.err(error instanceof Error ? error.message : String(error))
    return 1
  }
}

async function carryOut(world: AgentWorld, given: Given): Promise<AgentCode> {
  const { out, err, env } = world
  const asked = await special(world, given)
  if (asked !== undefined) return asked
  const action = actionOf(given)
  if (typeof action !== 'string') throw new Error(action.because)
  if (action === 'metadata' || action === 'manpage') {
    const { metadataText } = await import('./metadata.ts')
    out(metadataText(agentName(world.name)))
    return 0
  }
  const checked = check(given, action, env)
  if (!checked.ok) {
    for (const problem of checked.problems) err(problem)
    if (action === 'validate-all') err('validate-all failed')
    return 1
  }
  if (action === 'validate-all') return 0
  return await act(checked.settings, action, world)
}

async function special({ name, out }: AgentWorld, { values }: Given) {
  if (values.get('version') === '1') {
    const { version } = await import('../config/version.ts')
    out(`${agentName(name)} of Picket ${version()}`)
    return 0
  }
  if (values.get('help') !== '1') return undefined
  const { helpText } = await import('./metadata.ts')
  out(helpText(agentName(name)))
  return 0
}

/** Under whatever name a link has: the two that are known are told as they are. */
function agentName(name: string): string {
  const called = basename(name)
  return agentNames.find((known) => known === called) ?? agentNames[0]
}

async function act(settings: Settings, action: AgentAction, world: AgentWorld): Promise<AgentCode> {
  switch (action) {
    case 'monitor': {
      const { monitor } = await import('./look.ts')
      return await monitor(settings, world)
    }
    case 'list':
    case 'list-status': {
      const { list } = await import('./look.ts')
      return await list(settings, action === 'list-status', world)
    }
    case 'status': {
      const { status } = await import('./look.ts')
      return await status(settings, world)
    }
    case 'off':
    case 'on':
    case 'reboot': {
      if (action !== 'on' && settings.delayMs > 0) await sleep(settings.delayMs)
      const { fence } = await import('./fence.ts')
      return await fence(settings, action, world)
    }
    case 'metadata':
    case 'manpage':
    case 'validate-all':
      return 0
  }
}

/** Everything on standard input; to its end, or whoever writes it gets a signal. */
export async function readAll(stream: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    if (length <= inputBytesMax) parts.push(chunk)
  }
  // A part of it may name another node, or another action.
  if (length > inputBytesMax) throw new Error('Failed: the input has no end')
  return Buffer.concat(parts).toString('utf8')
}

const inputBytesMax = 4 * 2 ** 20
