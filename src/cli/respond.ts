/**
 * `picket respond`: carries out what fence agents of the form of `fence_recorder` ask for, by files
 * in a directory and, where that is wanted, over HTTPS.
 */
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'
import { defaultConfigFile } from '../config/paths.ts'
import { readPlainFile } from '../fence/plain-file.ts'
import { defaultDirectory } from '../recorder/names.ts'
import { openPlace } from '../recorder/place.ts'
import { execWork } from '../respond/exec.ts'
import { hooksOf } from '../respond/hooks.ts'
import {
  type Listening,
  type ListenOptions,
  listen,
  placeIn,
  whyNotListen,
} from '../respond/listen.ts'
import { type Responder, startResponder } from '../respond/responder.ts'
import type { Say, Work } from '../respond/work.ts'
import { defineCommand, type ExitCode, type FlagValues, UsageError } from './command.ts'
import { mark, plain } from './marks.ts'
import type { Terminal } from './terminal.ts'

const flags = {
  directory: { value: 'DIR', title: `Where requests and responses are (${defaultDirectory})` },
  config: { value: 'FILE', title: `The configuration (${defaultConfigFile})` },
  exec: { value: 'PROGRAM', title: 'Let this program carry out each request instead' },
  listen: {
    value: 'ADDRESS',
    title: 'Take requests over HTTPS too: ADDRESS or ADDRESS:PORT (7443)',
  },
  'tls-cert': { value: 'FILE', title: 'With --listen: our certificate, as PEM' },
  'tls-key': { value: 'FILE', title: 'With --listen: its key, as PEM' },
  'client-ca': { value: 'FILE', title: 'With --listen: who signs the certificates of clients' },
  'token-file': { value: 'FILE', title: 'With --listen: the token that clients show' },
  before: { value: 'PROGRAM', title: 'Told before each fencing; 5 s at most, and changes nothing' },
  after: { value: 'PROGRAM', title: 'Told after each fencing, likewise' },
  parallel: { value: 'N', title: 'How many requests are carried out at once (32)' },
  tries: { value: 'N', title: 'How often one that fails is tried, within its deadline (3)' },
  polling: { title: 'Look for requests ten times a second instead of by inotify' },
  socket: { value: 'PATH', title: "picketd's control socket" },
  state: { value: 'DIR', title: 'Where orders without picketd are recorded' },
  'self-test': { title: 'Try the whole round in DIR with a machine that is not there, and end' },
} as const

type Given = FlagValues<typeof flags>

export const command = defineCommand({
  name: 'respond',
  about: `Answers the requests of \`fence_recorder\` until it is ended: each is carried out by the
configuration of this machine, through picketd where that runs, once, and not after its deadline.
Several may run on one directory: one acts, and the next takes over when it is gone.
Whoever may write to the directory, or has the token, may switch every node of the configuration.`,
  flags,
  async run({ flags: given }, terminal) {
    const { directory = defaultDirectory } = given
    if (given['self-test'] === true) return await tryItself(directory, terminal)
    const listening = listenOptionsOf(given)
    const bounds = {
      parallelMax: count(given, 'parallel', 32, 256),
      tries: count(given, 'tries', 3, 10),
    }
    const say = sayOn(terminal)
    const place = openPlace(directory)
    const work = await workOf(given, say, terminal)
    if (work === undefined) return 2
    const responder = startResponder({
      ...{ place, work, say, name: `picket respond on ${hostname()}` },
      hooks: hooksOf({ before: given.before, after: given.after, say }),
      ...bounds,
      polling: given.polling ?? false,
    })
    return await untilEnded(responder, listening, say)
  },
})

async function tryItself(directory: string, { out, paint }: Terminal): Promise<ExitCode> {
  const { selfTest } = await import('../respond/self-test.ts')
  const good = await selfTest(directory, (ok, text) => out(mark(ok ? 'good' : 'bad', text, paint)))
  return good ? 0 : 1
}

/** As journald reads it: the level in front, and the time is its own. */
function sayOn({ err }: Terminal): Say {
  const levels = { info: '<6>', warn: '<4>', alarm: '<1>' } as const
  const prefix = process.env.JOURNAL_STREAM === undefined ? undefined : levels
  return (level, text) => err(`${prefix?.[level] ?? ''}${plain(text)}`)
}

function count(given: Given, name: 'parallel' | 'tries', standard: number, max: number): number {
  const text = given[name]
  if (text === undefined) return standard
  const number = Number(text)
  if (/^\d{1,3}$/.test(text) && number >= 1 && number <= max) return number
  throw new UsageError(`--${name} takes a whole number from 1 to ${max}, not "${text}".`)
}

async function workOf(given: Given, say: Say, terminal: Terminal): Promise<Work | undefined> {
  const { exec, config, socket, state } = given
  if (exec !== undefined) {
    for (const name of ['config', 'socket', 'state'] as const) {
      if (given[name] === undefined) continue
      throw new UsageError(`--${name} means nothing beside --exec: leave one of them out.`)
    }
    if (!exec.startsWith('/')) throw new UsageError(`--exec takes a whole path, not "${exec}".`)
    return execWork(exec)
  }
  const { engineWork } = await import('./respond-work.ts')
  const stateDir = stateDirOf(state)
  try {
    return await engineWork({ config: config ?? defaultConfigFile, socket, stateDir, say })
  } catch (error) {
    terminal.err(`picket respond: ${(error as Error).message}`)
    return undefined
  }
}

/** Beside the orders of `picket fence`: no two of either are under way for one node. */
function stateDirOf(state: string | undefined): string {
  if (state !== undefined) return join(state, 'orders')
  if (process.getuid?.() === 0) return '/var/lib/picket/orders'
  return join(process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'picket', 'orders')
}

type Door = Omit<ListenOptions, 'submit' | 'say'>

function listenOptionsOf(given: Given): Door | undefined {
  const beside = ['tls-cert', 'tls-key', 'client-ca', 'token-file'] as const
  if (given.listen === undefined) {
    const other = beside.find((name) => given[name] !== undefined)
    if (other === undefined) return undefined
    throw new UsageError(`--${other} means nothing without --listen.`)
  }
  const place = placeIn(given.listen)
  if (place === undefined) {
    throw new UsageError(
      `--listen takes an address, with a port or without, not "${given.listen}".`,
    )
  }
  const [cert, key, clientCa, token] = beside.map((name) => textOf(given, name))
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError('--tls-cert and --tls-key belong together.')
  }
  if (clientCa !== undefined && cert === undefined) {
    throw new UsageError('--client-ca means nothing without --tls-cert.')
  }
  const door: Door = {
    ...place,
    ...(cert !== undefined &&
      key !== undefined && { tls: { cert, key, ...(clientCa && { clientCa }) } }),
    ...(token !== undefined && { token: tokenIn(token) }),
  }
  const why = whyNotListen(door)
  if (why !== undefined) throw new UsageError(`--listen ${given.listen}: ${why}.`)
  return door
}

const pemBytesMax = 2 ** 20
const tokenLengthMin = 16

function textOf(given: Given, name: 'tls-cert' | 'tls-key' | 'client-ca' | 'token-file') {
  const path = given[name]
  if (path === undefined) return undefined
  try {
    return readPlainFile(path, pemBytesMax)
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException
    throw new UsageError(`--${name} ${path} cannot be read (${code}).`)
  }
}

function tokenIn(text: string): string {
  const token = text.trim()
  if (token.length >= tokenLengthMin && /^[\x21-\x7e]+$/.test(token)) return token
  throw new UsageError(`the token is one word of at least ${tokenLengthMin} characters.`)
}

/** Until a signal: what is under way ends first, and what waits is left to the next. */
async function untilEnded(
  responder: Responder,
  door: Door | undefined,
  say: Say,
): Promise<ExitCode> {
  const ended = Promise.withResolvers<void>()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => ended.resolve())
  }
  let listening: Listening | undefined
  const acting = responder.acts.then(async () => {
    if (door === undefined) return
    listening = await listen({ ...door, say, submit: (request) => responder.submit(request) })
  })
  const failed = acting.then(() => responder.ended)
  const lost = await Promise.race([ended.promise, failed]).catch((error: Error) => error)
  if (lost instanceof Error) say('alarm', `picket respond: ${lost.message}.`)
  const closing = listening?.close()
  await responder.close()
  await closing
  return lost instanceof Error ? 1 : 0
}
