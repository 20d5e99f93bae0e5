/**
 * Is anybody there who answers? A responder says so in `responder.json`, anew every few seconds,
 * and a recorder believes it for as long as it is fresh. Where the file tells which process wrote
 * it, and it is one of this machine and this boot, a process that is gone is nobody at once.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeWhole } from '../audit/files.ts'
import { printable } from '../foreign/printable.ts'
import { isNodeName, isProcess, type ProcessMark } from './message.ts'
import { type Place, readText } from './place.ts'

export const aliveFile = 'responder.json'
/** How often a responder says that it is there, and for how long that is believed. */
export const beatEveryMs = 5_000
export const believedMs = 15_000

export interface Alive {
  /** How the responder calls itself, for people. */
  readonly name: string
  /** ISO 8601. */
  readonly timestamp: string
  /** Which nodes it can fence, where it tells. */
  readonly nodes?: readonly string[]
  /** The process that answers, where it is one of this machine. */
  readonly process?: ProcessMark
}

/** Says that this process is there. */
export async function beat(place: Place, name: string, nodes: readonly string[]): Promise<void> {
  const now = new Date().toISOString()
  const alive: Alive = { name, timestamp: now, nodes, process: self() }
  await writeWhole(place.dir, aliveFile, `${JSON.stringify(alive)}\n`)
}

/** Who answers here; a sentence where nobody does. */
export function whoAnswers(place: Place, nowMs = Date.now()): Alive | string {
  const read = readText(join(place.dir, aliveFile))
  if (read === undefined) return `no responder has ever said that it is there (${aliveFile})`
  if (!read.ok) return `${aliveFile} tells of no responder: ${read.because}`
  const alive = aliveIn(read.text)
  if (alive === undefined) return `${aliveFile} tells of no responder: it is damaged`
  const { name, timestamp, process: told } = alive
  const ageMs = nowMs - Date.parse(timestamp)
  const seconds = Math.round(ageMs / 1_000)
  if (ageMs > believedMs) return `the responder (${name}) was last heard of ${seconds} s ago`
  if (ageMs < -believedMs) return `the responder (${name}) has another clock: ${-seconds} s ahead`
  if (told !== undefined && hasEnded(told)) {
    return `the responder (${name}, process ${told.pid}) has ended`
  }
  return alive
}

/** The same; one that has just ended may have a successor, which is given a moment. */
export async function awaitAnswerer(place: Place, patienceMs = 1_500): Promise<Alive | string> {
  const untilMs = performance.now() + patienceMs
  for (;;) {
    const found = whoAnswers(place)
    if (typeof found !== 'string' || performance.now() > untilMs) return found
    await sleep(100)
  }
}

function aliveIn(text: string): Alive | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { name, timestamp, nodes, process: told } = value as Record<string, unknown>
  if (typeof timestamp !== 'string' || !Number.isFinite(Date.parse(timestamp))) return undefined
  return {
    name: printable(typeof name === 'string' ? name : 'unnamed', 100),
    timestamp,
    ...(Array.isArray(nodes) && { nodes: nodes.filter(isText).filter(isNodeName) }),
    ...(isProcess(told) && { process: told }),
  }
}

const isText = (value: unknown): value is string => typeof value === 'string'

/** A process of this machine, as nobody else can be it later. */
export function markOf(pid: number): ProcessMark {
  return { pid, started: startOf(pid), place: placeOf() }
}

export const self = (): ProcessMark => markOf(process.pid)

/** Is it gone, as far as anybody here can tell? Of one elsewhere nobody can. */
export function hasEnded({ pid, started, place }: ProcessMark): boolean {
  return place === placeOf() && startOf(pid) !== started
}

let ownPlace: string | undefined

/** This boot of this machine, and within it where process numbers mean the same. */
function placeOf(): string {
  ownPlace ??= readPlace()
  return ownPlace
}

function readPlace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return ''
  }
}

/** When a process was started, in the kernel's ticks; empty where there is none, or a dead one. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program stands in brackets and may hold whatever it likes.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '')
  } catch {
    return ''
  }
}
