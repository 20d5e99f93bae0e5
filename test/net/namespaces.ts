/**
 * Three machines on one wire, as network namespaces: `a` bridges, `b` and `c` hang on it. They are
 * held by a process each, so that nothing is left over when the tests end, however they end.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { missing, notRoot } from '../needs.ts'

export type Machine = 'a' | 'b' | 'c'

/** Why these tests cannot run here, with what mends it; `false` when they can. */
export const noNamespaces: string | false = reason()

function reason(): string | false {
  const why = notRoot || missing('unshare', 'nsenter', 'setpriv', 'ip', 'nft', 'ping')
  if (why) return why
  const probe = spawnSync('unshare', ['-n', 'ip', 'link', 'add', 'x', 'type', 'veth'])
  return probe.status !== 0 && 'the kernel has no network namespaces, or no veth'
}

export interface Wire {
  /** Runs a program in a machine and returns what it printed; throws when it fails. */
  on(machine: Machine, command: string): string
  /**
   * Runs one of our probes in a machine; `unprivileged` takes the rights to raw sockets and
   * to change the network away.
   */
  probe<T>(machine: Machine, call: string, args: unknown[], unprivileged?: boolean): Promise<T>
  macOf(machine: Machine): string
  /** Stops whatever runs in a machine, as a frozen node would. */
  holder(machine: Machine): ChildProcess
  down(): void
}

const machines: readonly Machine[] = ['a', 'b', 'c']
/** The machine `a` has its addresses on the bridge, the others on their only interface. */
export const nic: Readonly<Record<Machine, string>> = { a: 'bridge', b: 'eth0', c: 'eth0' }

export async function startWire(): Promise<Wire> {
  const holders = new Map<Machine, ChildProcess>()
  const holder = (machine: Machine): ChildProcess => {
    const child = holders.get(machine)
    if (child?.pid === undefined) throw new Error(`there is no machine ${machine}`)
    return child
  }
  const on = (machine: Machine, command: string): string => {
    const args = ['-t', `${holder(machine).pid}`, '-n', 'sh', '-c', command]
    const { status, stdout, stderr } = spawnSync('nsenter', args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${machine}: ${command}: ${stderr}`)
    return stdout
  }
  const own = spawnSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }).stdout
  for (const machine of machines) {
    // It dies with us, and by itself at last.
    const args = ['--pdeathsig', 'KILL', 'unshare', '-n', 'sleep', '300']
    holders.set(machine, spawn('setpriv', args, { stdio: 'ignore' }))
  }
  for (const machine of machines) {
    while (namespaceOf(holder(machine)) === own) await sleep(5)
    on(machine, 'ip link set lo up')
  }
  on('a', 'ip link add bridge type bridge && ip link set bridge up')
  for (const [index, machine] of machines.entries()) {
    if (machine !== 'a') {
      on('a', `ip link add to-${machine} type veth peer name eth0 netns ${holder(machine).pid}`)
      on('a', `ip link set to-${machine} master bridge up`)
    }
    on(machine, `ip link set ${nic[machine]} up`)
    on(machine, `ip addr add 10.99.0.${index + 1}/24 dev ${nic[machine]}`)
    on(machine, `ip addr add fd99::${index + 1}/64 dev ${nic[machine]} nodad`)
  }

  return {
    on,
    holder,
    macOf: (machine) =>
      /link\/ether (\S+)/.exec(on(machine, `ip link show dev ${nic[machine]}`))?.[1] ?? 'none',
    probe: (machine, call, args, unprivileged = false) =>
      probe(holder(machine), { call, args, unprivileged }),
    down() {
      for (const child of holders.values()) child.kill('SIGKILL')
    },
  }
}

function namespaceOf({ pid }: ChildProcess): string {
  return spawnSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' }).stdout
}

interface Call {
  readonly call: string
  readonly args: unknown[]
  readonly unprivileged: boolean
}

async function probe<T>({ pid }: ChildProcess, { call, args, unprivileged }: Call): Promise<T> {
  const script = fileURLToPath(new URL('./probe.ts', import.meta.url))
  const less = unprivileged ? ['setpriv', '--bounding-set', '-net_raw,-net_admin'] : []
  const given = [process.execPath, script, call, JSON.stringify(args)]
  const child = spawn('nsenter', ['-t', `${pid}`, '-n', ...less, ...given], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  await new Promise((resolve) => child.once('close', resolve))
  const answer = JSON.parse(output || '{"error":"it printed nothing"}')
  if (answer.error !== undefined) throw new Error(answer.error)
  return answer.value
}
