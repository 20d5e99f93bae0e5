/**
 * What an OCF agent says of itself, held against what the config asks of it. The agent is run for
 * it (`meta-data`): without parameters, with a bound, and only when somebody asks.
 */
import { readdir } from 'node:fs/promises'
import { getPriority } from 'node:os'
import { ChildError, runChild } from '../foreign/child.ts'
import { type AgentMetadata, MetadataError, readMetadata } from '../foreign/metadata.ts'
import { faultOf } from '../foreign/parameters.ts'
import { printable } from '../foreign/printable.ts'
import {
  type Agent,
  agentOf,
  commonEnvironment,
  halfMs,
  isInstalled,
  type OcfOptions,
} from './ocf-agent.ts'
import { PATH } from './program.ts'
import type { AdviceTerms } from './resource.ts'

const METADATA_MAX_MS = 5_000
const METADATA_MAX_BYTES = 1 << 20

/** Everything that a person should know; nothing where all is well. */
export async function advise(options: OcfOptions, terms: AdviceTerms): Promise<readonly string[]> {
  const { agent: name } = options
  const agent = agentOf(name)
  if (!(await isInstalled(agent))) {
    const hint = terms.didYouMean(agent.type, await namesIn(agent.folder))
    return [
      `${name} is not installed on this machine (there is no program ${agent.file}), so its ` +
        `parameters cannot be checked here.${hint}`,
    ]
  }
  try {
    const metadata = readMetadata(name, await ask(agent))
    return [
      ...missingActions(name, metadata),
      ...wrongParameters(options, metadata, terms),
      ...shortTimes(name, metadata, terms),
      ...live(options, metadata),
    ]
  } catch (error) {
    if (!(error instanceof ChildError) && !(error instanceof MetadataError)) throw error
    return [`${name} does not tell its parameters, so they cannot be checked: ${error.message}`]
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch(() => [])
}

/** Why an agent cannot move anything live, in a clause; empty where it says that it can. */
export async function whyNoLiveMove(name: string): Promise<string> {
  try {
    const missing = missingHalves(readMetadata(name, await ask(agentOf(name))))
    return missing.length === 0 ? '' : `${name} has no action ${missing.join(' and no ')}`
  } catch (error) {
    if (!(error instanceof ChildError) && !(error instanceof MetadataError)) throw error
    return `${name} does not tell what it can do: ${error.message}`
  }
}

function missingHalves({ actions }: AgentMetadata): readonly string[] {
  const known = actions.map(({ name }) => name)
  return ['migrate_to', 'migrate_from'].filter((action) => !known.includes(action))
}

/** It is told before it matters; what cannot be moved live is stopped and started. */
function live(options: OcfOptions, metadata: AgentMetadata): readonly string[] {
  const { agent: name } = options
  if (!options.live) return []
  const missing = missingHalves(metadata)
  if (missing.length > 0) {
    const lacking = `${name} has no action ${missing.join(' and no ')}`
    return [`${lacking}, so it is stopped and started in spite of \`live: true\`.`]
  }
  const longest = metadata.actions.filter(({ name: action }) => action.startsWith('migrate_'))
  const adviceMs = Math.max(0, ...longest.map((action) => action.adviceMs ?? 0))
  if (adviceMs <= halfMs(options)) return []
  const advised = `${name} advises ${adviceMs / 1_000} s for half of a live move`
  return [`${advised}; migrate_seconds is ${halfMs(options) / 1_000}.`]
}

/** Runs the agent for its metadata. Throws a ChildError or a MetadataError with the reason. */
async function ask(agent: Agent): Promise<string> {
  const niceness = getPriority()
  // The priority of the daemon is nothing for a stranger.
  const calm = niceness === 0 ? [] : ['nice', '-n', String(-niceness)]
  const [program = agent.file, ...args] = [...calm, agent.file, 'meta-data']
  const { code, stdout, stderr } = await runChild(program, args, {
    env: { ...commonEnvironment(agent), PATH, LC_ALL: 'C' },
    signal: AbortSignal.timeout(METADATA_MAX_MS),
    outputMaxBytes: METADATA_MAX_BYTES,
  })
  if (code === 0) return stdout
  const last = stderr.trim().split('\n').at(-1) || 'without a word'
  throw new MetadataError(`meta-data ended with ${code}: ${printable(last)}`)
}

function missingActions(name: string, { actions }: AgentMetadata): readonly string[] {
  const known = actions.map((action) => action.name)
  const needed = ['start', 'stop', 'monitor'].filter((action) => !known.includes(action))
  return [
    ...needed.map((action) => `${name} has no action ${action}, and cannot be used without it.`),
    ...(known.includes('promote')
      ? [`${name} knows a promoted role; here it is never promoted.`]
      : []),
  ]
}

function wrongParameters(
  { agent: name, params, secret_params }: OcfOptions,
  { parameters }: AgentMetadata,
  { didYouMean }: AdviceTerms,
): readonly string[] {
  const known = parameters.map((parameter) => parameter.name)
  const set = { ...params, ...secret_params }
  const wrong = Object.entries(set).flatMap(([key, value]): readonly string[] => {
    const parameter = parameters.find((each) => each.name === key)
    if (parameter === undefined) {
      const hint = didYouMean(key, known) || ` It has ${known.join(', ') || 'none'}.`
      return [`${name} has no parameter ${key}.${hint}`]
    }
    const fault = faultOf(parameter, String(value))
    // Some agents take the words of their own default, whatever type they declare.
    if (fault === undefined || String(value) === parameter.standard) return []
    return [`${name}: ${key} ${fault}.`]
  })
  const missing = parameters.filter(
    ({ name: key, required }) => required && !Object.hasOwn(set, key),
  )
  if (missing.length === 0) return wrong
  return [...wrong, `${name} needs ${missing.map(({ name: key }) => key).join(', ')}.`]
}

/** The agent knows better than our defaults how long its work may take. */
function shortTimes(
  name: string,
  { actions }: AgentMetadata,
  { startMs, stopMs, probeMs }: AdviceTerms,
): readonly string[] {
  const given = { start: startMs, stop: stopMs, monitor: probeMs }
  return Object.entries(given).flatMap(([action, oursMs]): readonly string[] => {
    const adviceMs = actions.find((each) => each.name === action)?.adviceMs
    if (adviceMs === undefined || adviceMs <= oursMs) return []
    const advised = `${name} advises ${adviceMs / 1000} s for its ${action}`
    return [`${advised}; timeouts.${action}_seconds is ${oursMs / 1000}.`]
  })
}
