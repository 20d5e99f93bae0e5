/**
 * A machine with a real systemd as pid 1, in namespaces, up in less than a second. Its buses are
 * reached from outside by their path through its root directory.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { searchPath } from '../../src/lab/run.ts'
import { missing, notRoot } from '../needs.ts'

/** Why no such machine can run here, with what mends it; `false` when one can. */
export const noSystemd =
  notRoot ||
  missing('/lib/systemd/systemd', '/lib/systemd/system/dbus.service', 'nsenter', 'unshare')

export interface SystemdHost {
  /** Its root directory, as seen from here. */
  readonly root: string
  /** Directories and files of this machine, by what they are to that one: its journal. */
  readonly shared: Readonly<Record<string, string>>
  /** D-Bus addresses: by way of its bus, and straight to systemd. */
  readonly systemBus: string
  readonly privateBus: string
  /** Runs a program in it; the referee of what our client says. */
  run(...argv: string[]): { readonly code: number; readonly out: string }
  /** Writes a unit and lets systemd read it. */
  unit(name: string, text: string): void
  /** Cuts its power. */
  stop(): Promise<void>
}

const script = join(import.meta.dirname, 'systemd-host.sh')
const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--propagation', 'private']
const env = { PATH: searchPath, LC_ALL: 'C' }

export async function startSystemdHost(): Promise<SystemdHost> {
  const dir = mkdtempSync(join(tmpdir(), 'picket-systemd-'))
  const name = randomBytes(4).toString('hex')
  writeFileSync(join(dir, 'machine-id'), `${randomBytes(16).toString('hex')}\n`)
  const init = ['--fork', '--kill-child', 'sh', script, dir, name]
  const outer = spawn('unshare', [...namespaces, ...init], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [outer.stdout, outer.stderr]) {
    stream.on('data', (bytes) => {
      said = (said + bytes).slice(-4000)
    })
  }
  const stop = async () => {
    await end(outer)
    spawnSync('unshare', ['--mount', '--propagation', 'private', 'sh', script, dir, name, 'remove'])
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    const pid = await pidOneOf(outer)
    await relay(pid, dir)
    const host = hostOf(pid, dir, stop)
    await until(`it boots: ${said}`, () => host.run('systemctl', 'is-system-running').code === 0)
    return host
  } catch (error) {
    await stop()
    throw error
  }
}

function hostOf(pid: number, dir: string, stop: () => Promise<void>): SystemdHost {
  const root = `/proc/${pid}/root`
  const run = (...argv: string[]) => {
    const enter = ['-t', String(pid), '-m', '-p', '-n', '-u', '-i', '-C', '--', ...argv]
    const ran = spawnSync('nsenter', enter, { env, encoding: 'utf8', timeout: 30_000 })
    return { code: ran.status ?? -1, out: `${ran.stdout}${ran.stderr}`.trim() }
  }
  return {
    root,
    shared: {
      '/etc/machine-id': join(dir, 'machine-id'),
      '/run/log': join(dir, 'log'),
    },
    systemBus: `unix:path=${root}/run/dbus/system_bus_socket`,
    privateBus: `unix:path=${relaySocket(dir)}`,
    run,
    unit(name, text) {
      writeFileSync(`${root}/etc/systemd/system/${name}`, text)
      run('systemctl', 'daemon-reload')
    },
    stop,
  }
}

/** It dies with the machine, of whose processes it is one. */
async function relay(pid: number, dir: string): Promise<void> {
  const socket = relaySocket(dir)
  mkdirSync(dirname(socket))
  const to = `/proc/${pid}/root/run/systemd/private`
  const program = [process.execPath, join(import.meta.dirname, 'systemd-relay.ts'), socket, to]
  spawn('nsenter', ['-t', String(pid), '-p', '--', ...program], { env, stdio: 'ignore' }).unref()
  await until('the relay listens', () => existsSync(socket))
}

const relaySocket = (dir: string) => join(dir, 'systemd', 'private')

async function pidOneOf(outer: ChildProcess): Promise<number> {
  const children = `/proc/${outer.pid}/task/${outer.pid}/children`
  let pid = 0
  await until('there is a pid 1', () => {
    pid = Number(readFileSync(children, 'utf8').trim().split(' ')[0])
    return pid > 0 && existsSync(`/proc/${pid}/root/run/systemd/private`)
  })
  return pid
}

async function end(outer: ChildProcess): Promise<void> {
  if (outer.exitCode !== null || outer.signalCode !== null) return
  const over = new Promise((resolve) => outer.once('close', resolve))
  outer.kill('SIGKILL')
  await over
}

async function until(what: string, so: () => boolean): Promise<void> {
  const untilMs = performance.now() + 20_000
  while (!so()) {
    if (performance.now() > untilMs) throw new Error(`not in time: ${what}`)
    await sleep(20)
  }
}
