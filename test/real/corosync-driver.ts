/** The test's end of a `corosync-member` process: asks, and waits for what it prints. */
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { News } from '../../src/core/event.ts'
import type { Box } from './corosync-box.ts'
import type { Request } from './corosync-member.ts'

/** One line that a member has printed. */
export interface Line {
  readonly kind: string
  readonly atMs: number
  readonly value: unknown
}

export interface Member {
  readonly node: number
  readonly process: ChildProcess
  readonly lines: readonly Line[]
  /** The news so far, from the line `since` on. */
  news(since?: number): News[]
  ask(request: Request): void
  /** The first line from `since` on that is of this kind and passes the test. */
  line(kind: string, passes?: (value: never) => boolean, since?: number): Promise<Line>
  /** Asks, and waits for the answer. */
  answer(request: Request, kind: string): Promise<never>
}

const script = fileURLToPath(new URL('./corosync-member.ts', import.meta.url))
const waitMs = 20_000

export const nowMs = () => Number(process.hrtime.bigint()) / 1e6

/** Starts a member on a node of the box. */
export function startMember(box: Box, node: number, ...given: string[]): Member {
  const child = box.spawn(node, [process.execPath, script, ...given])
  const lines: Line[] = []
  const listeners = new Set<() => void>()
  const errors: string[] = []
  if (child.stdout === null || child.stderr === null || child.stdin === null) {
    throw new Error('a member needs pipes')
  }
  const { stdin } = child
  // A member that is gone is found out by what it does not say.
  stdin.on('error', () => {})
  child.stderr.on('data', (data) => errors.push(String(data)))
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text) as Line)
    for (const listener of listeners) listener()
  })

  const member: Member = {
    node,
    process: child,
    lines,
    news: (since = 0) =>
      lines.slice(since).flatMap(({ kind, value }) => (kind === 'news' ? [value as News] : [])),
    ask: (request) => stdin.write(`${JSON.stringify(request)}\n`),
    async line(kind, passes = () => true, since = 0) {
      const found = () =>
        lines.find((line, at) => at >= since && line.kind === kind && passes(line.value as never))
      const { promise, resolve, reject } = Promise.withResolvers<Line>()
      const look = () => {
        const line = found()
        if (line !== undefined) resolve(line)
      }
      const timer = setTimeout(() => {
        const last = lines.slice(-5).map((line) => JSON.stringify(line).slice(0, 300))
        const told = [...last, ...errors.slice(-5)].join('\n')
        reject(new Error(`node${node}: no "${kind}" in ${waitMs} ms; the last of it:\n${told}`))
      }, waitMs)
      listeners.add(look)
      look()
      return promise.finally(() => {
        clearTimeout(timer)
        listeners.delete(look)
      })
    },
    async answer(request, kind) {
      const since = lines.length
      member.ask(request)
      return (await member.line(kind, () => true, since)).value as never
    },
  }
  return member
}

/** Waits until all are told of a group of so many members in a ring of so many nodes. */
export async function settle(
  all: readonly Member[],
  members: number,
  nodes: number,
  since: readonly number[] = [],
): Promise<void> {
  const settled = (news: News) =>
    news.kind === 'group' && news.members.length === members && news.ringMembers.length === nodes
  await Promise.all(all.map((member, index) => member.line('news', settled, since[index] ?? 0)))
}
