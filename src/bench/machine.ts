/**
 * A machine to fence: a QEMU without a disk or a kernel, behind the BMC simulator of OpenIPMI. Both
 * end with this process.
 */
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { LoadedDevice } from '../config/load.ts'
import { openDevice } from '../fence/device.ts'
import { ipmi } from '../fence/drivers/ipmi.ts'
import { cannotFind } from '../lab/programs.ts'
import { cleanEnv } from '../lab/run.ts'

export interface Machine {
  readonly port: number
  readonly user: string
  readonly password: string
  /** Its BMC, as our driver knows it. */
  readonly device: LoadedDevice
  /** The truth, past the BMC. */
  isOn(): boolean
  /** Switches it on, past the BMC. */
  start(): void
  stop(): void
}

/** Why nothing can be measured here, as a sentence that says what mends it. */
export function whyNoMachine(path?: string): string | undefined {
  const programs = [
    'qemu-system-x86_64',
    'ipmi_sim',
    'ipmitool',
    'fence_ipmilan',
    'setpriv',
  ] as const
  return cannotFind(programs, path)
}

const emulator = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
`

/** Starts a machine and its BMC, on a free port of the loopback. */
export async function startMachine(): Promise<Machine> {
  const dir = mkdtempSync(join(tmpdir(), 'picket-bench-'))
  const file = (name: string) => join(dir, name)
  const [user, password] = ['bench', randomBytes(9).toString('base64url')]
  const port = await freePort()
  const chassis = fileURLToPath(new URL('chassis.sh', import.meta.url))
  mkdirSync(file('state'))
  writeFileSync(file('start'), startOf(file('pid')))
  // ipmi_sim splits the command itself, so paths that may hold spaces hide here.
  writeFileSync(file('chassis'), `exec sh '${chassis.replaceAll("'", "'\\''")}' ${dir} "$@"\n`)
  writeFileSync(file('emulator'), emulator)
  const config = configOf({ chassis: file('chassis'), port, user, password })
  writeFileSync(file('lan.conf'), config, { mode: 0o600 })

  const args = ['-n', '-c', file('lan.conf'), '-f', file('emulator'), '-s', file('state')]
  const guarded = ['--pdeathsig', 'KILL', 'ipmi_sim', ...args]
  const bmc = spawn('setpriv', guarded, { stdio: 'ignore', env: { ...cleanEnv } })
  const env = { ...cleanEnv }
  const press = (...words: readonly string[]) => {
    const { stdout } = spawnSync('sh', [chassis, dir, ...words], { encoding: 'utf8', env })
    return stdout
  }
  const machine: Machine = {
    port,
    user,
    password,
    device: deviceOf({ port, user, password }),
    isOn: () => press('get', 'power').trim() === 'power:1',
    start() {
      press('set', 'power', '1')
      if (!machine.isOn()) throw new Error('the machine does not start')
    },
    stop() {
      press('set', 'power', '0')
      bmc.kill('SIGKILL')
      rmSync(dir, { recursive: true, force: true })
    },
  }
  try {
    machine.start()
    await answers(machine.device)
    return machine
  } catch (error) {
    machine.stop()
    throw error
  }
}

/** The one cipher that the agents of Debian speak to every BMC. */
function deviceOf(login: Pick<Machine, 'port' | 'user' | 'password'>): LoadedDevice {
  const options = { host: '127.0.0.1', cipher: 3, ...login }
  return { id: 'machine/1/1', driver: ipmi, options }
}

/** Waits for the first answer of the BMC. */
async function answers(setup: LoadedDevice): Promise<void> {
  const device = openDevice(setup)
  const endMs = performance.now() + 10_000
  for (;;) {
    const { power, detail } = await device.read({ timeoutMs: 1_000 })
    if (power === 'on') return
    if (performance.now() > endMs) throw new Error(`its BMC does not answer: ${detail ?? power}`)
    await sleep(50)
  }
}

/** The smallest machine of QEMU that has a processor: with KVM where the machine has it. */
function startOf(pidfile: string): string {
  const machine = ['-nodefaults', '-no-user-config', '-display', 'none', '-m', '16']
  const kind = ['-machine', 'microvm,accel=kvm:tcg', '-daemonize', '-pidfile', pidfile]
  return `exec qemu-system-x86_64 ${[...machine, ...kind].join(' ')} >/dev/null 2>&1 </dev/null\n`
}

function configOf(bmc: {
  readonly chassis: string
  readonly port: number
  readonly user: string
  readonly password: string
}): string {
  const auths = 'none md2 md5 straight'
  const levels = ['callback', 'user', 'operator', 'admin']
  return `name "bench"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${bmc.port}
    priv_limit admin
${levels.map((level) => `    allowed_auths_${level} ${auths}`).join('\n')}
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "sh ${bmc.chassis}"
  user 1 false "" "" user 10 ${auths}
  user 2 true "${bmc.user}" "${bmc.password}" admin 10 ${auths}
`
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done))
  const { port } = socket.address()
  await new Promise<void>((done) => socket.close(done))
  return port
}
