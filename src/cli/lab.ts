/**
 * `picket lab`: a real cluster on this machine, for learning and for drills. This file is the words
 * and options of the command; everything that it does lies in src/lab.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { didYouMean } from '../config/suggest.ts'
import * as lab from '../lab/lab.ts'
import { statusTable } from '../lab/table.ts'

/** Where the command writes: answers and problems. */
export interface LabIo {
  readonly out: (line: string) => void
  readonly err: (line: string) => void
}

const summary = 'Run a real cluster on this machine, for learning and drills'

const usage = `Usage: picket lab ACTION [OPTIONS]

Makes a cluster out of network namespaces: real Corosync, real picketd, two real IPMI simulators per
node. Nothing of it touches this machine's own configuration, and \`down\` leaves nothing behind.
Needs root. Nodes are called node1, node2 and so on.

Actions:
  up [--nodes N] [--profile default|lan] [--quorum-device] [--daemon FILE | --no-daemon]
                              make the lab and wait for quorum
  down                        take it away, whatever state it is in
  status [--json]             every node: power, links, BMCs, Corosync, quorum, daemon
  watch                       the same, every second
  crash NODE                  cut its power: everything in it dies at once
  power NODE on|off           switch it at the mains, not through a BMC
  freeze NODE | thaw NODE     stop all that runs in it, its kernel goes on | let it go on
  cut NODE [--link 0|1] [--one-way]
                              unplug its cluster links; one-way: it hears nothing, but still speaks
  heal NODE                   undo every cut
  bmc NODE 1|2 ok|ignore|hang|slow SECONDS|lie
                              how this BMC behaves: as it should; accepts and does nothing; never
                              answers; accepts and does it later; accepts and says it is done
  logs NODE [--lines N] [--follow]
                              the end of its logs
  exec NODE -- COMMAND...     run a command in it and end with its code; "switch" is beside them

Options:
  --name NAME                 which lab, where there are several; default "lab"
  --nodes N                   how many nodes; default 3
  --daemon FILE               run this instead of picketd; also $PICKET_LAB_DAEMON
  --profile PROFILE           Corosync's timing: default (2.1 s to lose a node) or lan (0.9 s)
  --quorum-device             corosync-qnetd says which half of an even number may go on
  --help                      show this help

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused.`

const options = {
  name: { type: 'string' },
  nodes: { type: 'string' },
  profile: { type: 'string' },
  daemon: { type: 'string' },
  'no-daemon': { type: 'boolean' },
  'quorum-device': { type: 'boolean' },
  json: { type: 'boolean' },
  link: { type: 'string' },
  'one-way': { type: 'boolean' },
  lines: { type: 'string' },
  follow: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

type OptionName = keyof typeof options
type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

interface Call {
  readonly name: string
  /** The words after the action. */
  readonly words: readonly string[]
  readonly values: Values
  /** What stood behind `--`. */
  readonly command: readonly string[]
  readonly io: LabIo
}

interface Action {
  /** Placeholders of its words; `[X]` may be left out. */
  readonly words: readonly string[]
  readonly options: readonly OptionName[]
  readonly run: (call: Call) => Promise<number>
}

const actions: Readonly<Record<string, Action>> = {
  up: { words: [], options: ['nodes', 'profile', 'quorum-device', 'daemon', 'no-daemon'], run: up },
  down: { words: [], options: [], run: down },
  status: { words: [], options: ['json'], run: status },
  watch: { words: [], options: [], run: watch },
  crash: { words: ['NODE'], options: [], run: onNode(lab.crash, 'has lost its power') },
  power: { words: ['NODE', 'on|off'], options: [], run: power },
  freeze: { words: ['NODE'], options: [], run: onNode(lab.freeze, 'is frozen') },
  thaw: { words: ['NODE'], options: [], run: onNode(lab.thaw, 'goes on') },
  cut: { words: ['NODE'], options: ['link', 'one-way'], run: cut },
  heal: { words: ['NODE'], options: [], run: onNode(lab.heal, 'has all its links again') },
  bmc: { words: ['NODE', '1|2', 'MODE', '[SECONDS]'], options: [], run: bmc },
  logs: { words: ['NODE'], options: ['lines', 'follow'], run: logs },
  exec: { words: ['NODE'], options: [], run: execute },
}

async function run(argv: readonly string[], io: LabIo): Promise<number> {
  try {
    const parsed = parse(argv, io)
    if (parsed === undefined) {
      io.out(usage)
      return 0
    }
    // The state of a lab is for root's eyes only: anybody else would be told that there is none.
    const why = lab.whyNoLab()
    if (why !== undefined) throw new lab.LabError(why)
    return await parsed.action.run(parsed.call)
  } catch (error) {
    if (!(error instanceof lab.LabError)) throw error
    io.err(`picket lab: ${error.message}`)
    if (error.exitCode === 2) io.err('`picket lab --help` shows its actions and options.')
    return error.exitCode
  }
}

/** The command, for `picket` and for tests. */
export const labCommand = { name: 'lab', summary, usage, run }
export { labCommand as lab }
/** The same as the other commands have it. */
export const command = {
  help: usage,
  run: async (argv: readonly string[], io: LabIo) => (await run(argv, io)) as 0 | 1 | 2 | 3,
}

function parse(argv: readonly string[], io: LabIo): { action: Action; call: Call } | undefined {
  const end = argv.indexOf('--')
  const own = end === -1 ? argv : argv.slice(0, end)
  const { values, positionals } = parseOwn(own)
  if (values.help) return undefined
  const [name, ...words] = positionals
  const names = Object.keys(actions)
  if (name === undefined) throw wrong(`say what to do: ${names.join(', ')}.`)
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined
  if (action === undefined) throw wrong(`there is no action "${name}".${didYouMean(name, names)}`)
  const strange = Object.keys(values).find(
    (option) => option !== 'name' && !action.options.some((known) => known === option),
  )
  if (strange !== undefined) throw wrong(`"${name}" has no option --${strange}.`)
  const missing = action.words.filter((word) => !word.startsWith('['))[words.length]
  if (missing !== undefined) throw wrong(`"${name}" needs ${missing}.`)
  const extra = words[action.words.length]
  if (extra !== undefined) throw wrong(`"${extra}" is one word too many for "${name}".`)
  const command = end === -1 ? [] : argv.slice(end + 1)
  if (command.length > 0 && name !== 'exec') throw wrong(`"${name}" takes no command after --.`)
  return { action, call: { name: values.name ?? 'lab', words, values, command, io } }
}

function parseOwn(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error))
  }
}

function wrong(message: string): lab.LabError {
  return new lab.LabError(message, 2)
}

async function up({ name, values, io }: Call): Promise<number> {
  const nodes = values.nodes === undefined ? undefined : whole('--nodes', values.nodes)
  const { profile = 'default', daemon } = values
  if (profile !== 'default' && profile !== 'lan') {
    throw wrong(`there is no profile "${profile}": use default or lan.`)
  }
  if (daemon !== undefined && values['no-daemon']) {
    throw wrong('--daemon and --no-daemon exclude each other.')
  }
  const program = daemon ?? process.env.PICKET_LAB_DAEMON
  const own = program ? [resolve(program), '--config', '/etc/picket/config.yaml'] : undefined
  const quorumDevice = values['quorum-device'] === true
  const withDaemon = values['no-daemon'] ? false : own
  const made = await lab.upLab({ name, nodes, profile, quorumDevice, daemon: withDaemon })
  io.out(`The lab "${name}" is up: ${made.nodes.join(', ')}.`)
  for (const line of statusTable(await lab.statusOf(made))) io.out(line)
  const option = name === 'lab' ? '' : ` --name ${name}`
  io.out(`Watch it with \`picket lab watch${option}\`, end it with \`picket lab down${option}\`.`)
  return 0
}

async function down({ name, io }: Call): Promise<number> {
  const was = await lab.downLab(name)
  io.out(was ? `The lab "${name}" is gone.` : `There is no lab "${name}": nothing to do.`)
  return 0
}

async function status({ name, values, io }: Call): Promise<number> {
  const seen = await lab.statusOf(lab.openLab(name))
  if (values.json) io.out(JSON.stringify(seen, undefined, 2))
  else for (const line of statusTable(seen)) io.out(line)
  return 0
}

async function watch({ name, io }: Call): Promise<number> {
  const stopped = new AbortController()
  const stop = () => stopped.abort()
  process.once('SIGINT', stop)
  const clear = process.stdout.isTTY ? '\x1b[H\x1b[2J' : ''
  try {
    while (!stopped.signal.aborted) {
      const lines = statusTable(await lab.statusOf(lab.openLab(name)))
      io.out(`${clear}${lines.join('\n')}${clear ? '' : '\n'}`)
      await sleep(1000, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
  } finally {
    process.off('SIGINT', stop)
  }
  return 0
}

/** An action that does one thing to one node, and the sentence that says so. */
function onNode(act: (lab: lab.Lab, node: string) => Promise<void>, done: string): Action['run'] {
  return async ({ name, words: [node = ''], io }) => {
    await act(lab.openLab(name), node)
    io.out(`${node} ${done}.`)
    return 0
  }
}

async function power({ name, words: [node = '', to], io }: Call): Promise<number> {
  if (to !== 'on' && to !== 'off') throw wrong(`"${to}" is neither on nor off.`)
  await lab.power(lab.openLab(name), node, to)
  io.out(`${node} is ${to}.`)
  return 0
}

async function cut({ name, words: [node = ''], values, io }: Call): Promise<number> {
  const { link, 'one-way': oneWay } = values
  if (link !== undefined && link !== '0' && link !== '1') {
    throw wrong(`there is no cluster link "${link}": use 0 or 1.`)
  }
  const which = link === undefined ? undefined : link === '0' ? 0 : 1
  await lab.cut(lab.openLab(name), node, { link: which, oneWay })
  const what = link === undefined ? 'both cluster links' : `link ${link}`
  io.out(oneWay ? `${node} hears nothing on ${what}.` : `${node} is cut off on ${what}.`)
  return 0
}

async function bmc({ name, words, io }: Call): Promise<number> {
  const [node = '', level, mode = '', seconds] = words
  if (level !== '1' && level !== '2') throw wrong(`there is no BMC "${level}": use 1 or 2.`)
  const wanted = bmcMode(mode, seconds)
  await lab.bmc(lab.openLab(name), node, level === '1' ? 1 : 2, wanted)
  io.out(`BMC ${level} of ${node}: ${[mode, seconds].filter(Boolean).join(' ')}.`)
  return 0
}

function bmcMode(mode: string, seconds: string | undefined): lab.BmcMode {
  if (mode === 'slow') {
    const value = Number(seconds)
    if (seconds === undefined || !(value > 0 && value <= 600)) {
      throw wrong('"slow" needs a number of seconds between 0 and 600.')
    }
    return { mode, ms: Math.round(value * 1000) }
  }
  if (mode !== 'ok' && mode !== 'ignore' && mode !== 'hang' && mode !== 'lie') {
    throw wrong(`a BMC cannot be "${mode}": use ok, ignore, hang, slow SECONDS or lie.`)
  }
  if (seconds !== undefined) throw wrong(`"${mode}" takes no seconds.`)
  return { mode }
}

async function logs({ name, words: [node = ''], values, io }: Call): Promise<number> {
  const count = values.lines === undefined ? 40 : whole('--lines', values.lines)
  const files = Object.values(lab.logFiles(lab.openLab(name), node))
  if (values.follow) {
    const tail = lab.spawnInSwitch(lab.openLab(name), ['tail', '-n', `${count}`, '-F', ...files])
    return await stream(tail, io)
  }
  for (const file of files) {
    const lines = readEnd(file, count)
    if (lines.length > 0) io.out([`==> ${file} <==`, ...lines].join('\n'))
  }
  return 0
}

function readEnd(file: string, lines: number): string[] {
  if (lines === 0) return []
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    // Corosync makes its log when it starts for the first time.
    return []
  }
  return text === '' ? [] : text.trimEnd().split('\n').slice(-lines)
}

async function execute({ name, words: [node = ''], command, io }: Call): Promise<number> {
  if (command.length === 0) throw wrong('"exec" needs a command: exec NODE -- COMMAND...')
  const opened = lab.openLab(name)
  // In front of a person the command gets the terminal itself, so that a shell works.
  const attached = Boolean(process.stdin.isTTY && process.stdout.isTTY)
  // Half a terminal is none; a file or a pipe is for the command.
  const stdin = process.stdin.isTTY ? 'ignore' : 'inherit'
  const how: Parameters<typeof lab.spawnInSwitch>[2] = attached
    ? { attached, stdio: 'inherit' }
    : { stdio: [stdin, 'pipe', 'pipe'] }
  const started =
    node === 'switch'
      ? lab.spawnInSwitch(opened, command, how)
      : lab.spawnIn(opened, node, command, how)
  return await stream(started, io)
}

/** Pass on what a program prints until it ends or is interrupted, and the code it ends with. */
async function stream({ child, stop }: lab.Spawned, io: LabIo): Promise<number> {
  let interrupted = false
  const end = () => {
    interrupted = true
    void stop()
  }
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  try {
    const ended = new Promise<number | string>((settle) => {
      child.once('error', (error) => settle(error.message))
      child.once('close', (status, signal) => settle(status ?? `signal ${signal}`))
    })
    await Promise.all([pass(child.stdout, io.out), pass(child.stderr, io.err)])
    const end = await ended
    if (interrupted) return 0
    if (typeof end === 'number') return end
    io.err(`picket lab: the command ended with ${end}.`)
    return 1
  } finally {
    process.off('SIGINT', end)
    process.off('SIGTERM', end)
  }
}

async function pass(from: Readable | null, to: (line: string) => void): Promise<void> {
  if (from !== null) for await (const line of createInterface({ input: from })) to(line)
}

function whole(option: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw wrong(`${option} needs a whole number, not "${text}".`)
}
