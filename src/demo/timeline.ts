/**
 * What happened when, from the journals of the nodes: each line was written by a daemon before it
 * acted on it, on the monotonic clock that all nodes of a lab share.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Event } from '../core/event.ts'
import type { Lab } from '../lab/lab.ts'
import { nodeDir } from '../lab/names.ts'

/** The milestones of one failover, in monotonic milliseconds. */
export interface Timeline {
  /** Corosync told a survivor that the node is gone. */
  readonly detectedMs?: number
  /** The coordinator's decision to fence reached the members. */
  readonly decidedMs?: number
  /** The first command left for a device. */
  readonly sentMs?: number
  readonly sentVia?: string
  /** The proof reached the members. */
  readonly confirmedMs?: number
  readonly confirmedBy?: string
  /** The last resource was started. */
  readonly startedMs?: number
}

/** One line of a journal. */
export type Entry = { event?: Event; do?: readonly string[] }

/** Reads the failover of `victim` after `sinceMs` from the journals of the other nodes. */
export function readTimeline(lab: Lab, victim: string, sinceMs: number): Timeline {
  let found: Record<string, number | string> = {}
  for (const node of lab.nodes) {
    if (node === victim) continue
    found = earliest(found, fromJournal(readJournal(lab, node, sinceMs), victim))
  }
  return found
}

function fromJournal(entries: readonly Entry[], victim: string): Record<string, number | string> {
  const found: Record<string, number | string> = {}
  const note = (name: string, atMs: number) => {
    found[name] ??= atMs
  }
  let atMs = 0
  for (const { event, do: deeds } of entries) {
    if (event !== undefined) {
      atMs = event.atMs
      if (event.kind === 'group' && !event.ringMembers.includes(victim)) note('detectedMs', atMs)
      if (event.kind === 'ran' && 'confirmedMs' in found && event.outcome === 'done') {
        found.startedMs = atMs
      }
      if (event.kind === 'message') {
        const { message } = event
        if (message.say === 'fence' && message.node === victim) note('decidedMs', atMs)
        if (message.say === 'verdict' && message.node === victim && message.verdict.proven) {
          note('confirmedMs', atMs)
          found.confirmedBy ??= message.verdict.text
        }
      }
    }
    const press = deeds?.find((deed) => deed.startsWith(`press off of ${victim}`))
    if (press !== undefined && !('sentMs' in found)) {
      note('sentMs', atMs)
      found.sentVia = press.split(' on ').at(-1) ?? ''
    }
  }
  return found
}

/** The earliest of each, but the latest start: a failover is over when everything runs again. */
function earliest(
  one: Record<string, number | string>,
  other: Record<string, number | string>,
): Record<string, number | string> {
  const both = { ...one }
  for (const [name, value] of Object.entries(other)) {
    const known = both[name]
    const later = name === 'startedMs'
    if (known === undefined || (later ? value > known : value < known)) both[name] = value
  }
  return both
}

/** What a node has written of events, and of what it did about them, since then. */
export function readJournal(lab: Lab, node: string, sinceMs: number): Entry[] {
  const entries: Entry[] = []
  let keep = false
  for (const name of ['journal.jsonl.1', 'journal.jsonl']) {
    let text: string
    try {
      text = readFileSync(path.join(nodeDir(lab, node), 'lib-picket', name), 'utf8')
    } catch {
      continue
    }
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('{"state"') || line.startsWith('{"begin"')) continue
      const entry = JSON.parse(line) as Entry
      if (entry.event !== undefined) keep = entry.event.atMs >= sinceMs
      if (keep) entries.push(entry)
    }
  }
  return entries
}
