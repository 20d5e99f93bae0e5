/**
 * The fence agents of Picket for Pacemaker: reads what it is told, and says what came of it by its
 * exit code and one line. Its first argument is the name by which it was called; a launcher passes
 * it on. What it is told comes as arguments, or else on standard input, which is read to its end
 * before anything is done: who stops reading may end pacemaker-fenced.
 */
import { appendFileSync } from 'node:fs'
import { version } from '../config/version.ts'
import { actionIn, readCall, refusedAction, type Voice, valuesOf, voiceOf } from './call.ts'
import { type Given, known, pairsIn, pairsOf } from './input.ts'
import type { Seen } from './look.ts'
import { helpOf, metadataOf } from './metadata.ts'
import { agents, anyAgent } from './names.ts'
import { truth } from './parameter.ts'
import { parametersOf } from './parameters.ts'

/** More than this is drained and refused. */
const inputMaxBytes = 16 * 2 ** 20

async function readInput(from: NodeJS.ReadStream): Promise<string> {
  let text = ''
  for await (const chunk of from.setEncoding('utf8')) {
    if (text.length <= inputMaxBytes) text += chunk
  }
  return text
}

const say = (to: NodeJS.WriteStream, text: string) => void (text && to.write(`${text}\n`))

/** Progress: on standard output, where Pacemaker logs it when it has to end us. */
function teller({ verbose, quiet, debugFile }: Voice): (text: string) => void {
  return (text) => {
    say(verbose && !quiet ? process.stderr : process.stdout, text)
    if (debugFile === undefined) return
    try {
      appendFileSync(debugFile, `${new Date().toISOString()} ${text}\n`, { mode: 0o600 })
    } catch {
      // No fencing fails for it.
    }
  }
}

async function run(agent: string, args: readonly string[]): Promise<Seen & { voice: Voice }> {
  const silent = { quiet: false, verbose: false, debugFile: undefined }
  const text = args.length > 0 ? '' : await readInput(process.stdin)
  if (text.length > inputMaxBytes) {
    return { code: 1, err: 'Failed: the input has no end', voice: silent }
  }
  const given = readGiven(agent, args, text)
  const values = valuesOf(given.pairs, parametersOf(agent))
  const voice = voiceOf(values)
  if (given.error !== undefined) return { code: 1, err: given.error, voice }
  const isTrue = (name: string) => truth(values.get(name) ?? '') === true
  if (isTrue('help')) return { code: 0, out: helpOf(agent), voice }
  if (isTrue('version')) return { code: 0, out: version(), voice }
  const action = actionIn(given.pairs)
  if (action === 'metadata' || action === 'manpage') {
    return { code: 0, out: metadataOf(agent), voice }
  }
  const refused = refusedAction(agent, action)
  if (refused !== undefined) return { code: 1, err: refused, voice }
  if (!voice.quiet) for (const warning of given.warnings) say(process.stderr, warning)
  const read = readCall(agent, given, process.env.PCMK_service)
  if (!read.ok) {
    const tail = action === 'validate-all' ? '; validate-all failed' : ''
    return { code: 1, err: `${read.error}${tail}`, voice }
  }
  const { act } = await import('./act.ts')
  return { ...(await act(read.call, teller(voice))), voice }
}

/** With a driver named, only what belongs to it is known. */
function readGiven(agent: string, args: readonly string[], text: string): Given {
  const all = parametersOf(agent)
  const first = args.length > 0 ? pairsOf(args, all) : { pairs: pairsIn(text), warnings: [] }
  const driver = first.pairs.findLast(({ name }) => name === 'driver')?.value
  const again =
    args.length > 0 && driver !== undefined ? pairsOf(args, parametersOf(agent, driver)) : first
  const { pairs, warnings } = known(again.pairs, parametersOf(agent, driver))
  return { ...again, pairs, warnings: [...again.warnings, ...warnings] }
}

async function main(): Promise<void> {
  // Whether anybody listens to it is no reason to fence or not to.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  const [called = anyAgent, ...args] = process.argv.slice(2)
  const agent = agents.some(({ name }) => name === called) ? called : anyAgent
  const { code, out = '', err = '', voice } = await run(agent, args)
  say(process.stdout, out)
  if (!voice.quiet) say(process.stderr, err)
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
}

main().catch(() => {
  process.stderr.write('Failed: the agent broke: report this as a fault of Picket\n', () =>
    process.exit(1),
  )
})
