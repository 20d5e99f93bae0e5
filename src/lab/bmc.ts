/**
 * The BMCs of a lab: two real IPMI simulators per node, which live beside the switch and so outlive
 * the node whose power they hold. Each can be told to misbehave.
 */

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type BmcLevel, bmcAddress, bmcDir, type Lab, ownFile, switchNetns } from './names.ts'
import { type Process, processOf, readProcess, signal } from './processes.ts'
import { cleanEnv, LabError, until } from './run.ts'

/** How a BMC behaves. `ms` of `slow`: how long after accepting a command it is carried out. */
export type BmcMode =
  | { readonly mode: 'ok' | 'ignore' | 'hang' | 'lie' }
  | { readonly mode: 'slow'; readonly ms: number }

export interface BmcLogin {
  readonly user: string
  readonly password: string
}

/** A login made up for one lab. IPMI 1.5 knows 16 bytes of password. */
export function newLogin(): BmcLogin {
  return { user: 'picket', password: randomBytes(12).toString('base64url') }
}

/** One thing that a BMC was asked for or has done; `atMs` is CLOCK_MONOTONIC. */
export interface BmcRecord {
  readonly atMs: number
  readonly event: 'accepted' | 'done' | 'failed'
  readonly command: 'on' | 'off' | 'reset'
  readonly mode: BmcMode['mode']
}

const EMULATOR = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
`

/** Write what one BMC needs and start it. `uuid` is the node's hardware uuid. */
export async function createBmc(
  lab: Lab,
  node: string,
  level: BmcLevel,
  login: BmcLogin,
  uuid: string,
): Promise<void> {
  const dir = bmcDir(lab, node, level)
  await mkdir(path.join(dir, 'state'), { recursive: true, mode: 0o700 })
  await writeFile(path.join(dir, 'emu'), EMULATOR)
  // ipmi_sim splits the command itself, so the scripts' own path, which may hold spaces, hides
  // here.
  await writeFile(
    path.join(dir, 'chassis'),
    `exec sh ${quote(ownFile('chassis.sh'))} ${dir} "$@"\n`,
  )
  const configFile = path.join(dir, 'lan.conf')
  await writeFile(configFile, simulatorConfig(lab, node, level, login, uuid), { mode: 0o600 })
  await chmod(configFile, 0o600)
  await startBmc(lab, node, level)
}

function simulatorConfig(
  lab: Lab,
  node: string,
  level: BmcLevel,
  { user, password }: BmcLogin,
  uuid: string,
): string {
  const allowed = ['callback', 'user', 'operator', 'admin']
  return `name "${node}-bmc${level}"
set_working_mc 0x20
  startlan 1
    addr ${bmcAddress(lab, node, level)} 623
    priv_limit admin
${allowed.map((who) => `    allowed_auths_${who} none md2 md5 straight`).join('\n')}
    guid ${wireOrder(uuid)}
  endlan
  chassis_control "sh ${path.join(bmcDir(lab, node, level), 'chassis')}"
  user 1 false "" "" user 10 none md2 md5 straight
  user 2 true "${user}" "${password}" admin 10 none md2 md5 straight
`
}

/** IPMI sends a UUID with its lowest byte first; `ipmitool mc guid` turns it round again. */
function wireOrder(uuid: string): string {
  const bytes = uuid.replaceAll('-', '').match(/../g) ?? []
  return bytes.reverse().join('')
}

async function startBmc(lab: Lab, node: string, level: BmcLevel): Promise<void> {
  const dir = bmcDir(lab, node, level)
  const log = openSync(path.join(dir, 'sim.log'), 'a', 0o600)
  const files = ['-c', path.join(dir, 'lan.conf'), '-f', path.join(dir, 'emu')]
  const child = spawn(
    'nsenter',
    [
      `--net=/run/netns/${switchNetns(lab)}`,
      ...['ipmi_sim', ...files, '-s', path.join(dir, 'state'), '-n'],
    ],
    { detached: true, stdio: ['ignore', log, log], env: { ...cleanEnv }, cwd: '/' },
  )
  closeSync(log)
  child.unref()
  child.on('error', () => undefined)
  const started = child.pid === undefined ? undefined : readProcess(child.pid)
  if (started !== undefined) {
    await writeFile(path.join(dir, 'pid'), `${started.pid} ${started.startTicks}\n`)
  }
  const address = hexAddress(bmcAddress(lab, node, level))
  const listens = await until(() => {
    const bmc = bmcProcess(lab, node, level)
    return bmc === undefined || readUdp(bmc.pid).includes(address)
  }, 10_000)
  if (listens && bmcProcess(lab, node, level) !== undefined) return
  const said = (await readFile(path.join(dir, 'sim.log'), 'utf8')).trim().split('\n').slice(-3)
  throw new LabError(`BMC ${level} of ${node} does not start: ${said.join(' / ')}`)
}

/** An address and port 623 as /proc/net/udp writes them, in the byte order of the machine. */
function hexAddress(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))
  return `${bytes.reverse().join('')}:026F`.toUpperCase()
}

function readUdp(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/net/udp`, 'utf8')
  } catch {
    return ''
  }
}

/** The simulator's process; `undefined` when it has died. */
export function bmcProcess(lab: Lab, node: string, level: BmcLevel): Process | undefined {
  return processOf(path.join(bmcDir(lab, node, level), 'pid'))
}

/** Make a BMC behave like this from now on; a dead one is started again first. */
export async function setBmcMode(
  lab: Lab,
  node: string,
  level: BmcLevel,
  wanted: BmcMode,
): Promise<void> {
  const dir = bmcDir(lab, node, level)
  const text = wanted.mode === 'slow' ? `slow ${wanted.ms / 1000}` : wanted.mode
  if (bmcProcess(lab, node, level) === undefined) await startBmc(lab, node, level)
  // What it has lied about is forgotten: from now on it starts from the truth.
  if (wanted.mode !== 'hang') await rm(path.join(dir, 'claimed'), { force: true })
  await writeFile(path.join(dir, 'mode'), `${text}\n`)
  const bmc = bmcProcess(lab, node, level)
  if (bmc !== undefined) signal(bmc.pid, wanted.mode === 'hang' ? 'SIGSTOP' : 'SIGCONT')
}

/** How a BMC behaves at the moment; `dead` when its simulator has died. */
export function bmcMode(lab: Lab, node: string, level: BmcLevel): BmcMode | { mode: 'dead' } {
  if (bmcProcess(lab, node, level) === undefined) return { mode: 'dead' }
  let text: string
  try {
    text = readFileSync(path.join(bmcDir(lab, node, level), 'mode'), 'utf8').trim()
  } catch {
    return { mode: 'ok' }
  }
  const [mode, seconds] = text.split(' ')
  if (mode === 'slow') return { mode, ms: Number(seconds) * 1000 }
  return mode === 'ignore' || mode === 'hang' || mode === 'lie' ? { mode } : { mode: 'ok' }
}

/** Everything that a BMC was asked to switch and has switched, oldest first. */
export async function readBmcLog(lab: Lab, node: string, level: BmcLevel): Promise<BmcRecord[]> {
  let text: string
  try {
    text = await readFile(path.join(bmcDir(lab, node, level), 'log'), 'utf8')
  } catch {
    return []
  }
  const lines = text.split('\n').filter((line) => line.endsWith('}'))
  return lines.map((line) => JSON.parse(line) as BmcRecord)
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
