/** A real QEMU without a guest for tests (emulated, no KVM), and a relay before its monitor. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { missing } from '../needs.ts'
import { type Relay, startRelay } from './relay.ts'

const program = 'qemu-system-x86_64'

/** Why tests with a QEMU cannot run here, with what mends it; `false` when they can. */
export const noQemu = missing(program)

export const uuid = '5b1d0c1e-7d0f-4c57-9a55-1f0e3c0a7a01'
const otherUuid = '6c2e1d2f-8e10-4d68-8b66-2a1f4d1b8b12'

export interface Qemu {
  readonly folder: string
  /** The monitor itself. */
  readonly socket: string
  readonly pidfile: string
  readonly startCommand: readonly string[]
  readonly relay: Relay
  /** As the kernel knows it; `undefined` once it has ended. */
  pid(): number | undefined
  start(...more: readonly string[]): void
  kill(): void
  /** Gives a command to a monitor of our own. */
  tell(command: string): void
  close(): Promise<void>
}

export async function createQemu(): Promise<Qemu> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-qemu-'))
  const [socket, control, pidfile] = ['qmp', 'control', 'pid'].map((name) => join(folder, name))
  const monitor = (path = ''): string[] => ['-qmp', `unix:${path},server=on,wait=off`]
  // A reset becomes a shutdown, and a shutdown leaves the process: that is not off.
  const startCommand = [
    ...[program, '-nodefaults', '-display', 'none', '-m', '16', '-machine', 'none,accel=tcg'],
    ...['-uuid', uuid, '-no-reboot', '-no-shutdown', '-pidfile', pidfile ?? '', '-daemonize'],
    ...[...monitor(socket), ...monitor(control)],
  ]
  let last: number | undefined
  const pid = (): number | undefined => {
    last = pidIn(pidfile ?? '') ?? last
    return last !== undefined && lives(last) ? last : undefined
  }
  const start = (...more: readonly string[]): void => {
    if (pid() !== undefined) return
    const [name = '', ...args] = startCommand
    const { status, stderr } = spawnSync(name, [...args, ...more], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${name}: ${stderr}`)
    pid()
  }
  start()
  const relay = await startRelay({
    socket: join(folder, 'relay'),
    target: socket ?? '',
    request: 'message',
    matters: () => true,
    swap: (bytes) => Buffer.from(bytes.toString().replaceAll(uuid, otherUuid)),
    revive: () => start(),
    isOff: (bytes) => bytes.includes('"quit"'),
    own: ['ignored', 'late', 'wrong JSON', 'truncated JSON', '500'],
    instead(request, fault, pass) {
      if (fault === 'wrong JSON') return '["off", {"status": "shutdown"}]\n'
      if (fault === 'truncated JSON') return '{"return": {"status": "shutdo\n'
      if (fault === '500') return refusalOf(request)
      if (!request.includes('"quit"') || !['ignored', 'late'].includes(fault)) return undefined
      if (fault === 'late') setTimeout(pass, 300)
      return '{"return": {}, "id": "quit"}\n'
    },
  })
  let listening = true
  const follow = (): void => {
    const alive = pid() !== undefined
    if (alive !== listening) void (alive ? relay.listen() : relay.deafen())
    listening = alive
  }
  const following = setInterval(follow, 10)
  return {
    folder,
    socket: socket ?? '',
    pidfile: pidfile ?? '',
    startCommand,
    relay,
    pid,
    start(...more) {
      start(...more)
      follow()
    },
    kill() {
      const alive = pid()
      if (alive !== undefined) process.kill(alive, 'SIGKILL')
      while (pid() !== undefined) spawnSync('sleep', ['0.01'])
      follow()
    },
    tell(command) {
      const { status } = spawnSync(process.execPath, ['-e', client, control ?? '', command])
      if (status !== 0) throw new Error(`${command} failed`)
    },
    async close() {
      clearInterval(following)
      const alive = pid()
      if (alive !== undefined) process.kill(alive, 'SIGKILL')
      await relay.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A refusal of the monitor, of whatever was asked. */
function refusalOf(request: Buffer): string {
  const [, id = ''] = /"id": ?"([\w-]+)"/.exec(request.toString()) ?? []
  return `{"id": "${id}", "error": {"class": "GenericError", "desc": "off"}}\n`
}

/** It goes when its process does, at any moment. */
function pidIn(pidfile: string): number | undefined {
  try {
    return Number(readFileSync(pidfile, 'utf8'))
  } catch {
    return undefined
  }
}

/** A dead process that nobody has taken notice of is dead all the same, once its threads are. */
function lives(pid: number): boolean {
  try {
    const dead = /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    return !dead || readdirSync(`/proc/${pid}/task`).length > 1
  } catch {
    return false
  }
}

const client = `
const [path, command] = process.argv.slice(1)
const socket = require('node:net').connect(path)
for (const execute of ['qmp_capabilities', command]) {
  socket.write(JSON.stringify({ execute, id: execute }) + '\\n')
}
let said = ''
socket.on('data', (text) => {
  said += text
  if (said.includes('"id": "' + command + '"')) process.exit(said.includes('"error"') ? 1 : 0)
})
socket.on('close', () => process.exit(1))
`
