/**
 * Corosync itself can come to a standstill under heavy loss of packets (seen with 3.1.7): every
 * node asks for the same messages for ever, nobody has them, and nothing is delivered to anybody.
 * Nothing above it can mend that. An operator restarts Corosync on one node, and so do we; it is
 * noted, and never passed over.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { ownersOf } from '../demo/witness.ts'
import { type Lab, logFiles, nowMs, processesIn } from '../lab/lab.ts'
import { signal } from '../lab/processes.ts'

const STUCK_MS = 20_000
const TAIL_BYTES = 2_000

/** A watch over one recovery: called again and again, restarts what has been stuck for long. */
export function unstick(lab: Lab, notes: string[]): () => void {
  let sinceMs: number | undefined
  let asked: string | undefined
  return () => {
    const lists = lab.nodes.map((node) => missedIn(logFiles(lab, node).corosync))
    const [first] = lists
    const same = first !== undefined && lists.every((list) => list === first)
    if (!same || first !== asked) sinceMs = same ? nowMs() : undefined
    asked = first
    if (sinceMs === undefined || nowMs() - sinceMs < STUCK_MS) return
    sinceMs = undefined
    const active = ownersOf(lab)[0]
    const node = lab.nodes.find((each) => each !== active) ?? lab.nodes[0]!
    const found = processesIn(lab, node).find(({ name }) => name === 'corosync')
    if (found === undefined) return
    signal(found.pid, 'SIGKILL')
    notes.push(
      `Corosync delivered nothing on any node (Retransmit List: ${first}); ended on ${node}`,
    )
  }
}

/** What Corosync asks the others for at this moment, by the end of its log. */
export function missedIn(file: string): string | undefined {
  let text: string
  try {
    text = tailOf(file)
  } catch {
    // It has not written anything since its node was made.
    return undefined
  }
  const last = text.trimEnd().split('\n').at(-1) ?? ''
  const found = /^(\w+ +\d+) ([\d:]+\.\d+) .*Retransmit List: ([\da-f ]+)$/.exec(last)
  if (found === null) return undefined
  const [, day, time, list = ''] = found
  const atMs = new Date(`${day} ${new Date().getFullYear()} ${time}`).getTime()
  return Math.abs(Date.now() - atMs) < 2_000 ? list.trim() : undefined
}

function tailOf(file: string): string {
  const fd = openSync(file, 'r')
  try {
    const { size } = fstatSync(fd)
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES))
    readSync(fd, bytes, 0, bytes.length, size - bytes.length)
    return bytes.toString('latin1')
  } finally {
    closeSync(fd)
  }
}
