/** One event of a fencing as it stands in the logs, and its lines there, without a disk. */
import type { Facts } from '../audit/chain.ts'
import { printable } from '../foreign/printable.ts'

export type Status = 'requested' | 'initiated' | 'completed' | 'failed'

export interface Event {
  readonly atMs: number
  readonly request_id: string
  readonly action: string
  readonly target_node: string
  readonly gfs2_filesystems: readonly string[]
  readonly status: Status
  readonly details: string
  readonly recorder_node: string
  /** What Pacemaker called it. */
  readonly pacemaker_action: string
  /** What the operational log tells beside the event itself. */
  readonly remarks?: readonly { readonly level: 'INFO' | 'WARNING' | 'ERROR'; text: string }[]
}

const detailsMax = 1_000

/** The fields of `fence-events-detailed.jsonl`, before they are tied to the line before. */
export function fieldsOf(event: Event): Facts {
  const { atMs, action, target_node, gfs2_filesystems, status, recorder_node } = event
  return {
    timestamp: new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    ...{ action, target_node, gfs2_filesystems, status },
    details: printable(event.details, detailsMax),
    ...{ recorder_node, pacemaker_action: event.pacemaker_action },
  }
}

/** Its line in `fence-events-readable.log`. */
export function readableLine(event: Event): string {
  const { atMs, action, target_node, gfs2_filesystems, status, details } = event
  const words = [
    `[${localTime(atMs)}]`,
    `ACTION=${action}`,
    `TARGET=${target_node}`,
    `GFS2=${JSON.stringify(gfs2_filesystems)}`,
    `STATUS=${status}`,
    `DETAILS=${printable(details, detailsMax)}`,
  ]
  return `${words.join(' ')}\n`
}

/** Its lines in `fence-events.log`. */
export function operationalLines(event: Event): string {
  const { atMs, action, target_node, status, remarks = [] } = event
  const about = `action=${action}, target=${target_node}, status=${status}`
  const lines = [
    ...remarks,
    { level: status === 'failed' ? 'ERROR' : 'INFO', text: `Recorded fence event: ${about}` },
  ]
  return lines
    .map(({ level, text }) => `[${localTime(atMs)}] [${level}] ${printable(text, detailsMax)}\n`)
    .join('')
}

function localTime(atMs: number): string {
  const at = new Date(atMs)
  const two = (number: number) => String(number).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}
