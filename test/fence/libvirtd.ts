/**
 * A hypervisor for tests: a private `libvirtd` with libvirt's own test driver, whose one machine is
 * called `test`; and a relay before it that can fail the way a connection fails.
 *
 * The test driver forgets all states with its last connection, so one is kept open.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from './contract.ts'

/** Why tests with a libvirtd cannot run here, with what mends it; `false` when they can. */
export const noLibvirtd: string | false = ['libvirtd', 'virsh'].every(
  (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0,
)
  ? false
  : 'needs libvirtd and virsh: apt install libvirt-daemon libvirt-clients'

/** As the test driver's machine always has it. */
export const uuid = '6695eb01-f6a4-8304-79aa-97f2502e193f'
const otherUuid = '00112233-4455-4677-8899-aabbccddeeff'

export interface Libvirtd {
  readonly folder: string
  readonly socket: string
  /** Runs virsh commands past every relay, `;` between them; failures do not stop the next one. */
  virsh(commands: string): string
  stop(): Promise<void>
}

export const uriOf = (socket: string): string => `test+unix:///default?socket=${socket}`

export async function startLibvirtd(): Promise<Libvirtd> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-libvirtd-'))
  const socket = join(folder, 'libvirt-sock')
  const config = join(folder, 'libvirtd.conf')
  writeFileSync(
    config,
    `unix_sock_dir = "${folder}"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\nlisten_tls = 0\n`,
  )
  // Without its loadable drivers it looks at nothing on this machine.
  mkdirSync(join(folder, 'drivers'))
  const env = { ...process.env, LC_ALL: 'C', LIBVIRT_DRIVER_DIR: join(folder, 'drivers') }
  const daemon = spawn('libvirtd', ['-f', config, '-p', join(folder, 'pid')], {
    env,
    stdio: 'ignore',
  })
  const virsh = (commands: string): string =>
    spawnSync('virsh', ['-q', '-c', uriOf(socket), commands], { env, encoding: 'utf8' }).stdout
  const untilMs = performance.now() + 15_000
  while (virsh('list --all --name').trim() !== 'test') {
    if (performance.now() > untilMs) throw new Error('libvirtd does not start')
    await sleep(50)
  }
  const kept = spawn('virsh', ['-q', '-c', uriOf(socket)], {
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  kept.stdin?.write('domstate test\n')
  await new Promise((resolve) => kept.stdout?.once('data', resolve))
  return {
    folder,
    socket,
    virsh,
    async stop() {
      await Promise.all([ended(kept), ended(daemon)])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const end = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await end
}

export interface Relay {
  readonly socket: string
  /** False for what cannot happen on a connection of this kind. */
  fail(fault: Fault, fromRequest: number): boolean
  mend(): void
  /** Connections so far. */
  requests(): number
  close(): Promise<void>
}

let relays = 0

/** A socket that leads to the daemon's, and misbehaves on request. */
export async function startRelay(libvirtd: Libvirtd): Promise<Relay> {
  const socket = join(libvirtd.folder, `relay-${relays++}`)
  const open = new Set<Socket>()
  let fault: Fault | undefined
  let from = 0
  let count = 0
  const track = (end: Socket): void => {
    open.add(end)
    end.on('error', () => undefined)
    end.on('close', () => open.delete(end))
  }
  const server = createServer((near) => {
    const wrong = count++ >= from ? fault : undefined
    track(near)
    if (refuses(near, wrong)) return
    const far = connect(libvirtd.socket)
    track(far)
    const swap = wrong === 'another identity' ? swapUuid : (bytes: Buffer) => bytes
    near.on('data', (bytes) => far.write(swap(Buffer.from(bytes))))
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
    far.on('data', (bytes) => answer(near, swap(Buffer.from(bytes)), wrong))
    if (wrong === 'comes back on') near.on('close', () => setTimeout(startAgain, 200))
  })
  const startAgain = (): unknown => libvirtd.virsh('start test')
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return {
    socket,
    fail(wanted, fromRequest) {
      fault = happens.includes(wanted) ? wanted : undefined
      from = count + fromRequest
      return fault !== undefined
    },
    mend: () => (fault = undefined),
    requests: () => count,
    async close() {
      for (const end of open) end.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}

const happens: readonly Fault[] = [
  'hang',
  'drop in mid-answer',
  'reset',
  'slow drip',
  'HTML login page',
  'huge answer',
  'comes back on',
  'another identity',
]

/** Goes wrong before libvirtd hears of it. True when it has. */
function refuses(near: Socket, wrong: Fault | undefined): boolean {
  if (wrong === 'reset') near.destroy()
  if (wrong === 'HTML login page') near.write('<html>shut off (destroyed)')
  if (wrong === 'huge answer') near.write('x'.repeat(2 ** 20))
  return ['hang', 'reset', 'HTML login page', 'huge answer'].includes(wrong ?? '')
}

function answer(near: Socket, bytes: Buffer, wrong: Fault | undefined): void {
  if (wrong === 'slow drip') setTimeout(() => near.write(bytes), 300)
  // The connection breaks in the answer that matters; what comes before is small talk.
  else if (wrong === 'drop in mid-answer' && answersWhatMatters(bytes)) {
    near.write(bytes.subarray(0, bytes.length / 2))
    setTimeout(() => near.destroy(), 20)
  } else near.write(bytes)
}

/** By the number of the procedure in the header of the message: a destroy, or a state. */
function answersWhatMatters(message: Buffer): boolean {
  return message.length > 16 && [12, 212].includes(message.readUInt32BE(12))
}

/** Puts another UUID in place of the machine's towards virsh, and back towards libvirtd. */
function swapUuid(bytes: Buffer): Buffer {
  const [mine = '', other = ''] = [uuid, otherUuid].map((text) => text.replaceAll('-', ''))
  const hex = bytes.toString('hex')
  return Buffer.from(
    hex.includes(mine) ? hex.replaceAll(mine, other) : hex.replaceAll(other, mine),
    'hex',
  )
}
