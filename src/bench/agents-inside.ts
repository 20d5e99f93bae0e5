/**
 * What `bench:agents` runs beside a pacemaker-fenced: one machine behind a BMC, registered with our
 * agent and with Debian's, and switched off by each of them in turn. Prints what that took.
 */
import { run } from '../lab/run.ts'
import { timed } from './fence-off.ts'
import { type Machine, startMachine } from './machine.ts'

const runs = Number(process.argv[2])
const { PICKET: picket = '' } = process.env
const machine = await startMachine()
try {
  await stonith([picket, 'agents', 'install'])
  const device = deviceOf(machine)
  await register('ours', 'fence_picket_ipmi', device)
  await register('theirs', 'fence_ipmilan', [...device, 'lanplus=1'])
  const took = { ours: [] as number[], theirs: [] as number[] }
  for (let index = 0; index < runs; index++) {
    const turns = ['ours', 'theirs'] as const
    for (const turn of index % 2 ? turns.toReversed() : turns) took[turn].push(await off(turn))
  }
  console.log(JSON.stringify(took))
} finally {
  machine.stop()
}

function deviceOf({ port, user, password }: Machine): readonly string[] {
  return ['ip=127.0.0.1', `ipport=${port}`, `username=${user}`, `password=${password}`, 'cipher=3']
}

async function register(id: string, agent: string, options: readonly string[]): Promise<void> {
  const all = [...options, `pcmk_host_list=${id}`].flatMap((option) => ['-o', option])
  await stonith(['stonith_admin', '-R', id, '-a', agent, ...all])
}

async function stonith(argv: readonly string[]): Promise<void> {
  const { status, stderr } = await run(argv, { timeoutMs: 60_000 })
  if (status !== 0) throw new Error(`${argv[0]} ended with ${status}: ${stderr.trim()}`)
}

async function off(id: string): Promise<number> {
  machine.start()
  const tookMs = await timed(['stonith_admin', '-F', id, '-t', '60'], 0)
  if (machine.isOn()) throw new Error(`${id} did not switch it off`)
  return tookMs
}
