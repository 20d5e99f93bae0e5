/**
 * Every fencing whose buttons this node presses, on disk before the first of them is pressed (F4):
 * who asked and why, each attempt, what the devices said, and the verdict. JSON Lines.
 *
 * The cluster's ledger is what resumes a fencing after a crash; this file is what a person reads,
 * and what tells a daemon that starts that its former life had its finger on a button.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Press } from '../core/effect.ts'
import type { FencingRecord } from '../core/ledger.ts'
import type { Message } from '../core/message.ts'
import type { NodeId } from '../core/model.ts'
import type { Net } from '../foreign/mask.ts'
import type { Saved } from './store.ts'

/** One line of the file, before it is stamped with the time. */
export type FencingLine = Readonly<
  | {
      what: 'begun'
      id: string
      target: NodeId
      action: FencingRecord['action']
      because: string
      requester: string
      round: number
    }
  | {
      what: 'attempt'
      id: string
      target: NodeId
      device: string
      button: Press['action']
      /** How long from now the command may still leave this node. */
      deadlineMs: number
    }
  | { what: 'outcome'; id: string; target: NodeId; device: string; outcome: string; detail: string }
  | { what: 'evidence'; id: string; target: NodeId; device: string; power: string; raw: string }
  | {
      what: 'verdict'
      id: string
      target: NodeId
      round: number
      proven: boolean
      text: string
      tookMs: number
    }
  /** Another member goes on with it, or nobody: it is not this node's any more. */
  | { what: 'given up'; id: string; target: NodeId }
  | { what: 'interrupted'; id: string; target: NodeId }
>

/** A fencing that an earlier life of the daemon began here and did not end. */
export interface Unfinished {
  readonly id: string
  readonly target: NodeId
  readonly action: string
}

export interface Fencings {
  readonly unfinished: readonly Unfinished[]
  /** Keeps this attempt, and what it belongs to, before the button may be pressed. */
  attempt(press: Press, record: FencingRecord | undefined, nowMs: number): Promise<Saved>
  /** Keeps what came of a press. In order, and soon; nothing waits for it. */
  outcome(press: Press, outcome: string, detail: string): void
  /** Keeps what a device, or the silence, said of a target whose fencing is under way here. */
  evidence(target: NodeId, device: string, power: string, raw: string): void
  /** Keeps a verdict, once for each round, however often it is sent. */
  verdict(message: VerdictMessage): void
  /** Tells which fencings the core still carries out here; the others are given up. */
  keepOnly(ids: ReadonlySet<string>): void
  /** Everything that was told is on disk, or could not be put there. */
  settled(): Promise<unknown>
}

type VerdictMessage = Extract<Message, { say: 'verdict' }>

const bytesMax = 4 * 2 ** 20
const filesMax = 4

export function openFencings(stateDir: string, clean: Net): Fencings {
  const path = join(stateDir, 'fencing.jsonl')
  const unfinished = unfinishedIn(path)
  const underWay = new Map<NodeId, string>()
  const judged = new Map<NodeId, string>()
  let last: Promise<Saved> = Promise.resolve({ ok: true })

  /** One write after the other, whatever became of the one before. */
  const keep = (lines: readonly FencingLine[]): Promise<Saved> => {
    const time = new Date().toISOString()
    const cleaned = (name: string, fact: unknown) =>
      typeof fact === 'string' ? clean(fact, name) : fact
    const texts = lines.map((line) => JSON.stringify({ time, ...line }, cleaned))
    const text = texts.map((each) => `${each}\n`).join('')
    // A fencing is not torn over two files: the daemon that starts next reads only the newest.
    const idle = underWay.size === 0
    last = last.then(() => append(path, text, idle))
    return last
  }

  // Told once: the next start is not to speak of them again.
  if (unfinished.length > 0) {
    void keep(unfinished.map(({ id, target }) => ({ what: 'interrupted', id, target })))
  }

  return {
    unfinished,
    attempt(press, record, nowMs) {
      const { fencing: id, target } = press
      const attempt = attemptOf(press, nowMs)
      if (underWay.get(target) === id) return keep([attempt])
      const kept = keep([begunOf(press, record), attempt])
      underWay.set(target, id)
      return kept
    },
    outcome({ fencing: id, target, device }, outcome, detail) {
      void keep([{ what: 'outcome', id, target, device, outcome, detail }])
    },
    evidence(target, device, power, raw) {
      const id = underWay.get(target)
      if (id !== undefined) void keep([{ what: 'evidence', id, target, device, power, raw }])
    },
    verdict({ node: target, id, round, verdict }) {
      const key = `${id} ${round}`
      if (judged.get(target) === key) return
      judged.set(target, key)
      const { proven, text, tookMs } = verdict
      void keep([{ what: 'verdict', id, target, round, proven, text, tookMs }])
      underWay.delete(target)
    },
    keepOnly(ids) {
      for (const [target, id] of underWay) {
        if (ids.has(id)) continue
        void keep([{ what: 'given up', id, target }])
        underWay.delete(target)
      }
    },
    settled: () => last,
  }
}

function attemptOf(press: Press, nowMs: number): FencingLine {
  const { fencing: id, target, device, action: button, notAfterMs } = press
  return { what: 'attempt', id, target, device, button, deadlineMs: notAfterMs - nowMs }
}

function begunOf(press: Press, record: FencingRecord | undefined): FencingLine {
  return {
    what: 'begun',
    id: press.fencing,
    target: press.target,
    action: record?.action ?? (press.action === 'on' ? 'on' : 'off'),
    because: record?.because ?? '',
    requester: record?.requester ?? '',
    round: record?.round ?? 0,
  }
}

async function append(path: string, text: string, idle: boolean): Promise<Saved> {
  try {
    if (idle && (await sizeOf(path)) > bytesMax) await rotate(path)
    const file = await open(path, 'a', 0o600)
    try {
      await file.appendFile(text)
      await file.datasync()
    } finally {
      await file.close()
    }
    return { ok: true }
  } catch (error) {
    return { ok: false, because: error instanceof Error ? error.message : String(error) }
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}

async function rotate(path: string): Promise<void> {
  await rm(`${path}.${filesMax - 1}`, { force: true })
  for (let age = filesMax - 2; age >= 0; age--) {
    const from = age === 0 ? path : `${path}.${age}`
    if ((await sizeOf(from)) > 0) await rename(from, `${path}.${age + 1}`)
  }
}

function unfinishedIn(path: string): readonly Unfinished[] {
  const found = new Map<string, Unfinished>()
  const text = textOf(path)
  // The daemon died in the middle of a line: end it, so that the next one stands alone.
  if (text !== '' && !text.endsWith('\n')) appendFileSync(path, '\n')
  for (const line of text.split('\n')) {
    const { what, id, target, action } = fieldsOf(line)
    if (typeof id !== 'string' || typeof target !== 'string') continue
    if (what === 'begun') found.set(id, { id, target, action: String(action) })
    if (what === 'verdict' || what === 'given up' || what === 'interrupted') found.delete(id)
  }
  return [...found.values()]
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** The fields of one line; none for the torn line of a crash. */
function fieldsOf(text: string): { readonly [name: string]: unknown } {
  try {
    const fields: unknown = JSON.parse(text)
    return typeof fields === 'object' && fields !== null ? { ...fields } : {}
  } catch {
    return {}
  }
}
