/** `picket config`: is this configuration file right, what does it come to, what may be in it? */
import type { Loaded } from '../config/load.ts'
import { defaultConfigFile } from '../config/paths.ts'
import { problemText } from '../config/problem.ts'
import { didYouMean } from '../config/suggest.ts'
import { defineCommand, type ExitCode, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

const actions = ['check', 'show', 'schema']

export const command = defineCommand({
  name: 'config',
  words: ['check|show|schema', '[FILE]'],
  about: `check: reads FILE and all that belongs to it, prints the fencing levels of every node, and
says everything that is wrong. Touches no device and runs no foreign program; with --agents it runs
the agents of the resources, as whoever runs this, for what they say of their parameters.
show: prints what is in effect, with the defaults and without any secret.
schema: prints the JSON Schema of the configuration, for editors; docs/config.schema.json is a copy.

FILE is ${defaultConfigFile} when left out.`,
  flags: {
    agents: { title: 'With check: hold parameters and times against what the agents here say' },
    effective: { title: 'With show: what is in effect (this is what show always prints)' },
  },
  async run({ words, flags: { agents = false, effective = false } }, terminal) {
    const [action = '', file = defaultConfigFile] = words
    if (!actions.includes(action)) {
      throw new UsageError(`there is no action "${action}".${didYouMean(action, actions)}`)
    }
    if (effective && action !== 'show') {
      throw new UsageError(`--effective belongs to show, not to ${action || 'nothing'}.`)
    }
    if (agents && action !== 'check') {
      throw new UsageError(`--agents belongs to check, not to ${action || 'nothing'}.`)
    }
    if (action === 'schema') {
      if (words.length > 1) throw new UsageError('schema reads no FILE: leave it out.')
      return await schema(terminal)
    }
    const loaded = await loadOrSay(file, terminal)
    if (loaded === undefined) return 2
    if (action === 'show') return await show(loaded, terminal)
    await check(loaded, terminal)
    await askAgents(loaded, terminal, agents)
    return 0
  },
})

/** Load a configuration; where it is wrong, say how and return nothing. */
export async function loadOrSay(
  file: string,
  terminal: Terminal,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Loaded | undefined> {
  const { loadConfig } = await import('../config/load.ts')
  const result = await terminal.during(`reading ${file}`, loadConfig(file, { env }))
  if (result.ok) return result.loaded
  for (const problem of result.problems) terminal.err(problemText(problem))
  const count = result.problems.length
  terminal.err(`${file} is not valid: ${count} ${count === 1 ? 'problem' : 'problems'}.`)
  return undefined
}

async function show(loaded: Loaded, terminal: Terminal): Promise<ExitCode> {
  const { effectiveYaml } = await import('../config/show.ts')
  terminal.out(effectiveYaml(loaded))
  return 0
}

async function schema({ out }: Terminal): Promise<ExitCode> {
  const { builtIn } = await import('../config/catalog.ts')
  const { editorSchemaText } = await import('../config/editor-schema.ts')
  out(await editorSchemaText(builtIn))
  return 0
}

async function check(loaded: Loaded, { out, err, paint }: Terminal): Promise<void> {
  const { levelLines } = await import('../config/show.ts')
  const { file, core, warnings, secretsFiles } = loaded
  const counts = [
    counted(core.nodes.length, 'node'),
    counted(core.devices.length, 'fence device'),
    counted(loaded.details.config.resources.length, 'resource'),
  ]
  out(`${file} is valid: cluster ${core.cluster}, ${counts.join(', ')}.`)
  out(`Configuration ${core.hash.slice(0, 12)}: every node of the cluster has to show the same.`)
  const lines = levelLines(loaded)
  for (const { id, role } of core.nodes) {
    out(`\n${paint('strong', id)}`)
    if (role === 'witness') out('  a witness: it votes and fences, and runs nothing')
    const own = lines.filter(({ node }) => node === id)
    if (own.length === 0) out('  no fencing: only a person can prove it dead')
    for (const { number, text } of own) out(`  level ${number}: ${text}`)
  }
  if (core.resources.length > 0) out('')
  const { resourceLines } = await import('../config/show.ts')
  for (const { id, text } of resourceLines(core)) out(`${paint('strong', id)}: ${text}`)
  for (const secrets of secretsFiles) out(`\nSecrets: ${secrets}`)
  for (const warning of warnings) err(`warning: ${warning}`)
}

/** Only when told to: an agent is a program, and whoever checks a file may not expect it to run. */
async function askAgents(loaded: Loaded, { out, err }: Terminal, agents: boolean): Promise<void> {
  const { adviceOn, advisable } = await import('../config/advice.ts')
  const { builtIn } = await import('../config/catalog.ts')
  const ids = await advisable(loaded, builtIn)
  if (ids.length === 0) return
  if (!agents) {
    out(`\nThe agents of ${ids.join(', ')} were not asked; --agents runs them for it.`)
    return
  }
  let count = 0
  for await (const sentence of adviceOn(loaded, builtIn)) {
    err(`warning: ${sentence}`)
    count += 1
  }
  if (count === 0) out(`\nThe agents of ${ids.join(', ')} know all that is asked of them.`)
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
