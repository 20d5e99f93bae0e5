/**
 * Real Corosync nodes on one machine, for tests: each in namespaces of its own, joined by two
 * links.
 *
 * Nothing is left behind, also when the test is killed: the namespaces belong to a process that
 * lives as long as a pipe to the test is open, and take their interfaces and processes with them.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { missing, notRoot } from '../needs.ts'

export interface BoxOptions {
  readonly nodes: number
  readonly tokenMs?: number
  /** More lines for the `quorum` section of corosync.conf. */
  readonly quorum?: string
}

export interface Box {
  /** Starts Corosync on a node, and waits until it takes connections. */
  start(node: number): Promise<void>
  /** Sends a signal to a node's Corosync. */
  signal(node: number, name: NodeJS.Signals): void
  /** Takes the node's links down, or only one of them. */
  cut(node: number, link?: number): void
  heal(node: number, link?: number): void
  /** Begins a command in a node's namespaces. */
  spawn(node: number, command: readonly string[]): ChildProcess
  run(node: number, command: readonly string[]): string
  /** Ends everything. */
  close(): void
}

interface Sandbox {
  readonly holder: ChildProcess
  /** The first process in the namespaces, as seen from outside. */
  readonly pid: number
}

const links = [0, 1] as const

/** Why no box can be made here, with what mends it; `false` when one can. */
export const noBox = notRoot || missing('corosync', 'ip', 'unshare', 'nsenter')

/** Makes the nodes and links. Nothing is started yet. */
export async function openBox({ nodes, tokenMs = 1_000, quorum = '' }: BoxOptions): Promise<Box> {
  const root = mkdtempSync(join(tmpdir(), 'picket-box-'))
  const sandboxes: Sandbox[] = []
  const close = () => {
    for (const { holder } of sandboxes) holder.kill('SIGKILL')
    rmSync(root, { recursive: true, force: true })
  }
  try {
    const hub = await openSandbox(['ip link set lo up'])
    sandboxes.push(hub)
    for (const link of links) {
      inside(hub, ['ip', 'link', 'add', `br${link}`, 'type', 'bridge', 'forward_delay', '0'])
      inside(hub, ['ip', 'link', 'set', `br${link}`, 'up'])
    }
    for (let node = 1; node <= nodes; node++) {
      const sandbox = await openSandbox(mountsOf(configure(root, node, { nodes, tokenMs, quorum })))
      sandboxes.push(sandbox)
      for (const link of links) connectLink(hub, sandbox, node, link)
    }
  } catch (error) {
    close()
    throw error
  }
  const [hub, ...rest] = sandboxes as [Sandbox, ...Sandbox[]]
  const at = (node: number) => rest[node - 1] as Sandbox
  const setLinks = (node: number, link: number | undefined, state: string) => {
    for (const each of link === undefined ? links : [link]) {
      inside(hub, ['ip', 'link', 'set', `n${node}-${each}`, state])
    }
  }
  return {
    start: (node) => startCorosync(at(node)),
    signal: (node, name) =>
      void inside(at(node), ['sh', '-c', `kill -${name.slice(3)} $(pidof corosync)`]),
    cut: (node, link) => setLinks(node, link, 'down'),
    heal: (node, link) => setLinks(node, link, 'up'),
    run: (node, command) => inside(at(node), command),
    spawn: (node, command) => spawn('nsenter', [...enter(at(node)), ...command]),
    close,
  }
}

/** Writes a node's configuration; gives the directory that holds it. */
function configure(root: string, node: number, options: Required<BoxOptions>): string {
  const directory = join(root, `n${node}`)
  for (const each of ['etc', 'lib', 'log']) mkdirSync(join(directory, each), { recursive: true })
  writeFileSync(join(directory, 'etc', 'corosync.conf'), corosyncConf(options))
  return directory
}

function corosyncConf({ nodes, tokenMs, quorum }: Required<BoxOptions>): string {
  const node = (id: number) => `  node {
    nodeid: ${id}
    name: node${id}
    ring0_addr: 10.77.0.${id}
    ring1_addr: 10.77.1.${id}
  }`
  return `totem {
  version: 2
  cluster_name: box
  transport: knet
  crypto_cipher: none
  crypto_hash: none
  token: ${tokenMs}
  token_coefficient: 0
}
logging {
  to_stderr: no
  to_syslog: no
  to_logfile: yes
  logfile: /var/log/corosync/corosync.log
  timestamp: hires
}
quorum {
  provider: corosync_votequorum
  ${quorum}
}
nodelist {
${Array.from({ length: nodes }, (_, index) => node(index + 1)).join('\n')}
}
`
}

function mountsOf(directory: string): string[] {
  return [
    'ip link set lo up',
    'mount -t tmpfs tmpfs /dev/shm',
    `mount --bind ${directory}/etc /etc/corosync`,
    `mount --bind ${directory}/lib /var/lib/corosync`,
    `mount --bind ${directory}/log /var/log/corosync`,
    'mount -t tmpfs tmpfs /run',
    'mkdir -p /run/corosync /run/lock',
  ]
}

/** New namespaces whose first process ends when the pipe to us does, and all others with it. */
async function openSandbox(setUp: readonly string[]): Promise<Sandbox> {
  // `read` reaps what dies meanwhile, which the first process of a namespace has to do.
  const script = ['set -e', 'mount -t proc proc /proc', ...setUp, 'echo ready', 'read -r _'].join(
    '\n',
  )
  const flags = ['-m', '-n', '-u', '-i', '-p', '--fork', '--kill-child', '--propagation', 'private']
  const holder = spawn('unshare', [...flags, 'bash', '-c', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: holder.stdout })
  for await (const line of lines) if (line === 'ready') break
  const children = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8')
  const pid = Number(children.trim().split(' ')[0])
  if (!Number.isInteger(pid) || pid <= 0) throw new Error('the namespaces could not be made')
  return { holder, pid }
}

function connectLink(hub: Sandbox, sandbox: Sandbox, node: number, link: number): void {
  const ends = [`n${node}-${link}`, 'type', 'veth', 'peer', 'name', `eth${link}`]
  // Run outside, in the hub's network only: the other end's process id means nothing in there.
  const hubOnly = ['-t', String(hub.pid), '-n', '--']
  execFileSync('nsenter', [...hubOnly, 'ip', 'link', 'add', ...ends, 'netns', String(sandbox.pid)])
  inside(hub, ['ip', 'link', 'set', `n${node}-${link}`, 'master', `br${link}`, 'up'])
  inside(sandbox, ['ip', 'addr', 'add', `10.77.${link}.${node}/24`, 'dev', `eth${link}`])
  inside(sandbox, ['ip', 'link', 'set', `eth${link}`, 'up'])
}

async function startCorosync(sandbox: Sandbox): Promise<void> {
  inside(sandbox, ['corosync'])
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      return void inside(sandbox, ['corosync-cmapctl', '-g', 'totem.version'])
    } catch {
      await sleep(50)
    }
  }
  throw new Error('corosync does not take connections')
}

function enter({ pid }: Sandbox): string[] {
  return ['-t', String(pid), '-m', '-n', '-u', '-i', '-p', '--']
}

function inside(sandbox: Sandbox, command: readonly string[]): string {
  const given = [...enter(sandbox), ...command]
  return execFileSync('nsenter', given, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
