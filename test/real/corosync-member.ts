/**
 * One process in the group, driven line by line by the test: it prints what it is told, with the
 * instant, and does what it is asked for.
 */
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { News } from '../../src/core/event.ts'
import type { Message } from '../../src/core/message.ts'
import { type Corosync, type Link, openCorosync } from '../../src/corosync/corosync.ts'
import { type Cpg, openCpg } from '../../src/corosync/cpg.ts'
import { loadNative } from '../../src/corosync/native.ts'

/** What a test may ask for. */
export type Request = Readonly<
  | { ask: 'send'; messages: readonly Message[] }
  | { ask: 'flood'; session: string; count: number; everyMs: number }
  | { ask: 'raw'; group: string; base64: readonly string[] }
  /** The same stranger again. */
  | { ask: 'more'; base64: readonly string[] }
  | { ask: 'authority' | 'links' | 'about' | 'cpu' | 'leave' | 'close' | 'throw' }
  /** Blocks the event loop, then asks for the authority before anything else can run. */
  | { ask: 'block'; forMs: number }
  | { ask: 'rtt'; count: number }
>

const nowMs = () => Number(process.hrtime.bigint()) / 1e6

function print(kind: string, value: unknown): void {
  process.stdout.write(`${JSON.stringify({ kind, atMs: nowMs(), value })}\n`)
}

const echoes = new Map<string, () => void>()
let throws = false

const [group = 'box', patient] = process.argv.slice(2)

async function open(): Promise<Corosync> {
  try {
    return await openCorosync({ group, onNews, onLost, onWarning, onLinks })
  } catch (error) {
    print('failed', error instanceof Error ? error.message : error)
    if (patient !== 'patient') process.exit(1)
    await sleep(500)
    return open()
  }
}

function onNews(news: News): void {
  if (throws) throw new Error('the listener has failed')
  if (news.kind === 'message' && news.message.say === 'accuse') echoes.get(news.message.node)?.()
  else print('news', news)
}

const onLost = (because: string) => print('lost', because)
const onWarning = (text: string) => print('warning', text)
const onLinks = (links: readonly Link[]) => print('links', links)

const corosync = await open()
print('open', { self: corosync.self, pid: process.pid })

function block(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs)
}

async function flood(session: string, count: number, everyMs: number): Promise<void> {
  let sent = 0
  for (let step = 0; step < count; step++) {
    if (corosync.send({ session, say: 'ack', step })) sent++
    if (everyMs > 0) await sleep(everyMs)
  }
  print('flooded', sent)
}

/** How long a message takes until it has come back, one at a time. */
async function rtt(count: number): Promise<void> {
  const tookMs: number[] = []
  for (let index = 0; index < count; index++) {
    const node = `echo-${process.pid}-${index}`
    const { promise, resolve } = Promise.withResolvers<void>()
    echoes.set(node, resolve)
    const beganMs = nowMs()
    corosync.send({ session: 'rtt', say: 'accuse', node })
    await promise
    tookMs.push(nowMs() - beganMs)
    echoes.delete(node)
  }
  tookMs.sort((a, b) => a - b)
  const at = (share: number) => tookMs[Math.floor((count - 1) * share)]
  print('rtt', { medianMs: at(0.5), p99Ms: at(0.99), maxMs: at(1) })
}

let stranger: Cpg | undefined

/** Bytes from a process that is none of ours. */
async function raw(group: string, base64: readonly string[]): Promise<void> {
  const native = await loadNative()
  const nothing = () => {}
  const listener = { onChange: nothing, onRing: nothing, onDeliver: nothing }
  stranger = await openCpg(native, { endsAtMs: performance.now() + 5_000 }, group, listener)
  more(base64)
}

function more(base64: readonly string[]): void {
  for (const each of base64) stranger?.post(Buffer.from(each, 'base64'))
  print('posted', base64.length)
}

async function answer(request: Request): Promise<void> {
  switch (request.ask) {
    case 'send':
      return print('sent', request.messages.map(corosync.send))
    case 'flood':
      return flood(request.session, request.count, request.everyMs)
    case 'raw':
      return raw(request.group, request.base64)
    case 'more':
      return more(request.base64)
    case 'authority':
      return print('authority', corosync.authority())
    case 'block': {
      const before = corosync.authority()
      block(request.forMs)
      return print('authority', { before, after: corosync.authority() })
    }
    case 'links':
      return print('links', corosync.links())
    case 'about': {
      const { self, nodes, totem, options } = corosync
      return print('about', { self, nodes, totem, options })
    }
    case 'cpu':
      return print('cpu', process.cpuUsage())
    case 'rtt':
      return rtt(request.count)
    case 'throw':
      throws = true
      return
    case 'leave':
      corosync.leave()
      return print('left', null)
    case 'close': {
      const beganMs = nowMs()
      corosync.close()
      return print('closed', nowMs() - beganMs)
    }
  }
}

const requests = createInterface({ input: process.stdin })
requests.on('line', (line) => {
  answer(JSON.parse(line) as Request).catch((error: Error) => print('error', error.message))
})
requests.on('close', () => process.exit(0))
