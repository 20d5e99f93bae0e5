/**
 * A wire with two machines and a client on it: three network namespaces, the client's being the
 * switch. Removed with the test.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ResourceOp } from '../../src/core/effect.ts'
import { missing, notRoot } from '../needs.ts'
import { until } from './room.ts'

export type Machine = 'a' | 'b' | 'client'

export interface Wire {
  /** Runs a program on a machine and returns what it printed. */
  on(machine: Machine, command: string): string
  /** A picket node with one virtual address, by the type `vip` or by another one. */
  node(machine: Machine, options: unknown, type?: string): VipNode
  mac(machine: Machine): string
}

export interface Answer {
  readonly outcome: string
  readonly detail: string
  readonly tookMs: number
  readonly said: readonly string[]
}

export interface VipNode {
  /** Stops the process for a while, as a starved or paused machine does. */
  freeze(forMs: number): Promise<void>
  do(op: ResourceOp | 'prepare', timeoutMs?: number): Promise<Answer>
}

let wires = 0

/** Why no wire can be laid here; `false` when it can. */
export const noWire = notRoot || missing('ip', 'ping')

/** Lays a wire: 10.99.0.0/24 and fd99::/64; a is .1, b is .2, the client is .9. */
export function layWire(t: TestContext): Wire {
  const prefix = `pv${process.pid}x${++wires}`
  const namespace = (machine: Machine) => `${prefix}${machine[0]}`
  const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' })
  const dir = mkdtempSync(join(tmpdir(), 'picket-vip-'))
  const children: ChildProcess[] = []
  t.after(async () => {
    for (const child of children) child.stdin?.end()
    await until('the nodes have ended', () => children.every(({ exitCode }) => exitCode !== null))
    for (const machine of ['a', 'b', 'client'] as const) ip('netns', 'del', namespace(machine))
    rmSync(dir, { recursive: true, force: true })
  })
  for (const machine of ['client', 'a', 'b'] as const) ip('netns', 'add', namespace(machine))
  const on = (machine: Machine, command: string) =>
    ip('-n', namespace(machine), ...command.split(' '))
  on('client', 'link add eth0 type bridge forward_delay 0 stp_state 0')
  for (const machine of ['a', 'b'] as const) {
    on('client', `link add to-${machine} type veth peer name eth0 netns ${namespace(machine)}`)
    on('client', `link set to-${machine} master eth0 up`)
  }
  for (const [machine, host] of [
    ['a', 1],
    ['b', 2],
    ['client', 9],
  ] as const) {
    on(machine, 'link set lo up')
    on(machine, 'link set eth0 up')
    on(machine, `addr add 10.99.0.${host}/24 dev eth0`)
    on(machine, `addr add fd99::${host}/64 dev eth0 nodad`)
  }
  return {
    on: (machine, command) =>
      command.startsWith('ip ')
        ? on(machine, command.slice(3))
        : execFileSync(
            'nsenter',
            [`--net=/run/netns/${namespace(machine)}`, ...command.split(' ')],
            {
              encoding: 'utf8',
            },
          ),
    mac: (machine) => JSON.parse(on(machine, '-j link show eth0'))[0].address,
    node(machine, options, type = 'vip') {
      const stateDir = join(dir, machine)
      // Not `ip netns exec`: that would hide /sys/fs/cgroup.
      const child = spawn(
        'nsenter',
        [
          `--net=/run/netns/${namespace(machine)}`,
          process.execPath,
          join(import.meta.dirname, 'vip-node.ts'),
          stateDir,
          JSON.stringify(options),
          type,
        ],
        { stdio: ['pipe', 'pipe', 'inherit'] },
      )
      children.push(child)
      const answers = createInterface(child.stdout)[Symbol.asyncIterator]()
      return {
        async freeze(forMs) {
          child.kill('SIGSTOP')
          await sleep(forMs)
          child.kill('SIGCONT')
        },
        async do(op, timeoutMs = 10_000) {
          child.stdin.write(`${JSON.stringify({ do: op, timeoutMs })}\n`)
          const { value } = await answers.next()
          if (value === undefined) throw new Error('the node has ended without an answer')
          return JSON.parse(value)
        },
      }
    },
  }
}
