/**
 * Warnings about what others send: one per sender and minute, so that a flood is not a flood here.
 */
import type { Address } from './group.ts'

const everyMs = 60_000
/** A group has at most a few members; more senders than this are a game. */
const sendersMax = 256

export function createComplaints(
  warn: (text: string) => void,
): (from: Address, sender: string, text: string) => void {
  const lastMs = new Map<string, number>()
  return ({ nodeid, pid }, sender, text) => {
    const key = `${nodeid}:${pid}`
    const nowMs = performance.now()
    const last = lastMs.get(key)
    if (last !== undefined && nowMs - last < everyMs) return
    if (lastMs.size >= sendersMax) lastMs.clear()
    lastMs.set(key, nowMs)
    warn(`dropped a message from process ${pid} on ${sender}: ${text}`)
  }
}
