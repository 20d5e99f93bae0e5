/**
 * One machine switched off until that is proven, and its power read in a process that runs: our
 * `ipmi` driver under a whole picketd, and `fence_ipmilan`.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { openDevice } from '../fence/device.ts'
import { run } from '../lab/run.ts'
import type { Finding } from './fence-finding.ts'
import type { Machine } from './machine.ts'
import { type Member, startMember } from './member.ts'
import { spreadOf } from './spread.ts'

const node = 'machine'

export async function measureOff(
  machine: Machine,
  runs: number,
  progress: (text: string) => void,
): Promise<readonly Finding[]> {
  const member = startMember([{ node, device: machine.device }])
  const ours: number[] = []
  const theirs: number[] = []
  try {
    await member.ready()
    for (let index = 0; index < runs; index++) {
      const turns = [
        async () => void ours.push(await offByUs(machine, member)),
        async () => void theirs.push(await offByAgent(machine)),
      ]
      for (const turn of index % 2 ? turns.reverse() : turns) await turn()
      const [mine = 0, other = 0] = [ours.at(-1), theirs.at(-1)]
      progress(`off ${index + 1}/${runs}: ${mine.toFixed(0)} ms and ${other.toFixed(0)} ms`)
    }
  } finally {
    await member.close()
    machine.start()
  }
  const off: Finding = {
    what: 'off to confirmed off, one machine behind a BMC',
    ours: spreadOf(ours),
    peer: { name: 'fence_ipmilan -o off', took: spreadOf(theirs) },
    target: { kind: 'ratio', atMost: 0.3 },
  }
  return [off, await measureStatus(machine, runs)]
}

/** From the press to the second read in a row that says off. */
async function offByUs(machine: Machine, member: Member): Promise<number> {
  await freshStart(machine)
  const [fenced] = await member.lose([node])
  if (fenced === undefined || machine.isOn()) throw new Error('we did not switch it off')
  await member.heal()
  return fenced.provenMs - fenced.pressedMs
}

async function offByAgent(machine: Machine): Promise<number> {
  await freshStart(machine)
  const tookMs = await timed(agentOf(machine, 'off'), 0)
  if (machine.isOn()) throw new Error('fence_ipmilan did not switch it off')
  return tookMs
}

/** What a start leaves to do is done before anybody is measured. */
async function freshStart(machine: Machine): Promise<void> {
  machine.start()
  await sleep(300)
}

async function measureStatus(machine: Machine, runs: number): Promise<Finding> {
  const device = openDevice(machine.device)
  const ours: number[] = []
  const theirs: number[] = []
  await device.read({ timeoutMs: 5_000 })
  for (let index = 0; index < runs; index++) {
    const turns = [
      async () => {
        const beganMs = performance.now()
        const { power, detail } = await device.read({ timeoutMs: 5_000 })
        if (power !== 'on') throw new Error(`our status failed: ${detail ?? power}`)
        ours.push(performance.now() - beganMs)
      },
      async () => void theirs.push(await timed(agentOf(machine, 'status'), 0)),
    ]
    for (const turn of index % 2 ? turns.reverse() : turns) await turn()
  }
  return {
    what: 'status in a process that runs',
    ours: spreadOf(ours),
    peer: { name: 'fence_ipmilan -o status', took: spreadOf(theirs) },
    target: { kind: 'ratio', atMost: 0.2 },
  }
}

/** The call of Debian's agent: its defaults, and the protocol and cipher that we speak. */
export function agentOf(
  { port, user, password }: Machine,
  action: 'off' | 'status',
): readonly string[] {
  const login = ['-a', '127.0.0.1', '-u', `${port}`, '-l', user, '-p', password]
  return ['fence_ipmilan', ...login, '-P', '-C', '3', '-o', action]
}

/** How long a program takes from its start to its end. Throws if it ends in another way. */
export async function timed(
  argv: readonly string[],
  status: number,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const beganMs = performance.now()
  const ended = await run(argv, { env, timeoutMs: 60_000 })
  const tookMs = performance.now() - beganMs
  if (ended.status === status) return tookMs
  throw new Error(`${argv[0]} ended with ${ended.status}: ${ended.stderr.trim().slice(-300)}`)
}
