/**
 * A hypervisor for tests: a private `libvirtd` with libvirt's own test driver, whose one machine is
 * called `test`; and a relay before it that can fail the way a connection fails.
 *
 * The test driver forgets all states with its last connection, so one is kept open.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { searchPath } from '../../src/lab/run.ts'
import { missing } from '../needs.ts'
import { type Relay, startRelay } from './relay.ts'

/** Why tests with a libvirtd cannot run here, with what mends it; `false` when they can. */
export const noLibvirtd = missing('libvirtd', 'virsh')

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
  const drivers = join(folder, 'drivers')
  mkdirSync(drivers)
  const env = { PATH: searchPath, LC_ALL: 'C', LIBVIRT_DRIVER_DIR: drivers }
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

const [destroy, state] = [12, 212]
/** The number of the procedure in the header of a message. */
const procedureOf = (message: Buffer): number =>
  message.length > 16 ? message.readUInt32BE(12) : 0

const answersWhatMatters = (message: Buffer): boolean =>
  [destroy, state].includes(procedureOf(message))

/** "Done", to this call: its header with the type of a reply, and nothing after it. */
function doneTo(call: Buffer): Buffer {
  const reply = Buffer.from(call.subarray(0, 28))
  reply.writeUInt32BE(reply.length, 0)
  reply.writeUInt32BE(1, 16)
  reply.writeUInt32BE(0, 24)
  return reply
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

let relays = 0

/** A socket that leads to the daemon's, and misbehaves on request. */
export function startLibvirtRelay(libvirtd: Libvirtd): Promise<Relay> {
  return startRelay({
    socket: join(libvirtd.folder, `relay-${relays++}`),
    target: libvirtd.socket,
    request: 'connection',
    matters: answersWhatMatters,
    swap: swapUuid,
    revive: () => libvirtd.virsh('start test'),
    isOff: (request) => procedureOf(request) === destroy,
    own: ['ignored', 'late'],
    instead(request, fault) {
      if (!['ignored', 'late'].includes(fault) || procedureOf(request) !== destroy) return undefined
      if (fault === 'late') setTimeout(() => libvirtd.virsh('destroy test'), 300)
      return doneTo(request)
    },
  })
}
