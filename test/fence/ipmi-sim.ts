/**
 * A BMC on loopback for tests: the real `ipmi_sim` of OpenIPMI, whose chassis power is a file.
 *
 * Faults: it can hang (SIGSTOP), accept and ignore, accept and act late, act and come back on,
 * refuse, and read a chassis that is neither on nor off.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { missing } from '../needs.ts'

export interface User {
  readonly name: string
  readonly password: string
  readonly privilege: 'user' | 'operator' | 'admin'
}

export interface BmcOptions {
  /** 32 hex digits, in the order in which the BMC sends them. */
  readonly guid?: string
  readonly users?: readonly User[]
}

export interface Bmc {
  readonly port: number
  /** The true power behind the BMC. */
  power(): 'on' | 'off'
  setPower(power: 'on' | 'off'): void
  /** Lets the chassis say something else than 0 or 1. */
  setRaw(power: string): void
  /** What becomes of commands that the BMC accepts or not, from now on. */
  setMode(mode: 'obey' | 'ignore' | 'refuse' | 'relapse' | { lateMs: number }): void
  /** Every power command that reached the chassis, oldest first: `power 0`, `power 1`. */
  commands(): string[]
  hang(): void
  wake(): void
  stop(): Promise<void>
}

export const guid = 'a123456789abcdefa123456789abcdef'
export const admin: User = { name: 'admin', password: 'hunter2-canary', privilege: 'admin' }

/** Why tests with a BMC cannot run here, with what mends it; `false` when they can. */
export const noBmc = missing('ipmi_sim', 'ipmitool', 'setpriv')

/** What `ipmi_sim` calls to get and set the chassis power. */
const chassis = `#!/bin/sh
dir=$1 verb=$2
shift 2
case $verb in
get)
  for what in "$@"; do
    case $what in
    power) echo "power:$(cat "$dir/power")" ;;
    boot) echo "boot:default" ;;
    *) exit 1 ;;
    esac
  done ;;
set)
  echo "$1 $2" >>"$dir/commands"
  case $(cat "$dir/mode") in
  refuse) echo "refused"; exit 1 ;;
  ignore) exit 0 ;;
  obey) echo "$2" >"$dir/power" ;;
  relapse)
    echo "$2" >"$dir/power"
    (sleep 0.2; echo 1 >"$dir/power") >/dev/null 2>&1 </dev/null & ;;
  *) (sleep "$(cat "$dir/mode")"; echo "$2" >"$dir/power") >/dev/null 2>&1 </dev/null & ;;
  esac ;;
*) exit 1 ;;
esac
`

const emulator = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
`

function lanConfig(folder: string, port: number, options: BmcOptions): string {
  const auths = 'none md2 md5 straight'
  const users = [{ name: '', password: 'none', privilege: 'user' }, ...(options.users ?? [admin])]
  return `name "test"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${port}
    priv_limit admin
    allowed_auths_callback ${auths}
    allowed_auths_user ${auths}
    allowed_auths_operator ${auths}
    allowed_auths_admin ${auths}
    guid ${options.guid ?? guid}
  endlan
  chassis_control "sh ${folder}/chassis ${folder}"
${users
  .map(({ name, password, privilege }, index) => {
    return `  user ${index + 1} true "${name}" "${password}" ${privilege} 10 ${auths}`
  })
  .join('\n')}
`
}

/** Starts a BMC on a free port, power on. Resolves when it answers. */
export async function startBmc(options: BmcOptions = {}): Promise<Bmc> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-bmc-'))
  const file = (name: string): string => join(folder, name)
  const port = await freePort()
  mkdirSync(file('state'))
  writeFileSync(file('chassis'), chassis)
  writeFileSync(file('emulator'), emulator)
  writeFileSync(file('lan.conf'), lanConfig(folder, port, options))
  writeFileSync(file('power'), '1\n')
  writeFileSync(file('mode'), 'obey')

  const args = ['-n', '-c', file('lan.conf'), '-f', file('emulator'), '-s', file('state')]
  // It dies with us, also when the test run is killed.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'ipmi_sim', ...args], { stdio: 'ignore' })
  const bmc: Bmc = {
    port,
    power: () => (readFileSync(file('power'), 'utf8').trim() === '0' ? 'off' : 'on'),
    setPower: (power) => writeFileSync(file('power'), power === 'on' ? '1\n' : '0\n'),
    setRaw: (power) => writeFileSync(file('power'), power),
    setMode: (mode) =>
      writeFileSync(file('mode'), typeof mode === 'string' ? mode : `${mode.lateMs / 1000}`),
    commands: () =>
      existsSync(file('commands'))
        ? readFileSync(file('commands'), 'utf8').trim().split('\n').filter(Boolean)
        : [],
    hang: () => void child.kill('SIGSTOP'),
    wake: () => void child.kill('SIGCONT'),
    async stop() {
      await ended(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    await answers(port)
    return bmc
  } catch (error) {
    await bmc.stop()
    throw error
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}

/** A UDP port nobody listens on. */
export async function freePort(): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(resolve))
  return port
}

/** Sends RMCP presence pings until a pong comes back. */
async function answers(port: number): Promise<void> {
  const ping = Buffer.from('0600ff06000011be80000000', 'hex')
  const socket = createSocket('udp4')
  const pong = new Promise<true>((resolve) => socket.once('message', () => resolve(true)))
  socket.on('error', () => {})
  try {
    for (let attempt = 0; attempt < 100; attempt++) {
      socket.send(ping, port, '127.0.0.1')
      if (await Promise.race([pong, sleep(50, false)])) return
    }
    throw new Error(`ipmi_sim did not answer on port ${port}`)
  } finally {
    socket.close()
  }
}
