/**
 * How a lab comes into being: the state directory, what each node will find on its disk, the
 * network, the BMCs, and then the power of every node.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parse } from 'yaml'
import { type BmcLogin, createBmc, newLogin } from './bmc.ts'
import { fenceSecrets, picketConfig, type ResourceEntry } from './configs.ts'
import { corosyncConf } from './corosync-conf.ts'
import { power } from './machine.ts'
import {
  bmcLevels,
  indexOf,
  type Lab,
  labsDir,
  nodeAddress,
  nodeDir,
  nodeNetns,
  type Profile,
  stateDir,
  switchNetns,
} from './names.ts'
import { createNetwork } from './network.ts'
import { startArbiter } from './qnetd.ts'
import { LabError, must, searchPath } from './run.ts'

export interface LabPlan {
  readonly name: string
  readonly nodes: number
  readonly profile: Profile
  readonly resources: readonly ResourceEntry[] | undefined
  readonly extra: string | undefined
  readonly daemon: readonly string[] | undefined
  readonly diskMb: number | undefined
  readonly quorumDevice: boolean
  readonly pidOne: string | undefined
}

/** A lab that is ours to build: nobody else can make one of this name any more. */
export interface Claim {
  readonly lab: Lab
  readonly texts: Pick<NodeTexts, 'config' | 'corosync' | 'diskMb' | 'pidOne'>
}

/**
 * Take the name of a lab. The texts are generated first: a mistake in what the caller gave us
 * should leave nothing behind.
 */
export async function claim(plan: LabPlan): Promise<Claim> {
  const { name, profile, daemon, quorumDevice } = plan
  const nodes = Array.from({ length: plan.nodes }, (_, at) => `node${at + 1}`)
  const lab: Lab = { name, dir: stateDir(name), nodes, profile, daemon, quorumDevice }
  const { diskMb, pidOne } = plan
  const texts = { config: picketConfig(lab, plan), corosync: corosyncConf(lab), diskMb, pidOne }
  await makeStateDir(lab)
  return { lab, texts }
}

/** Make everything and switch the nodes on. */
export async function build({ lab, texts }: Claim): Promise<void> {
  const { nodes, profile, daemon, quorumDevice } = lab
  const login = newLogin()
  const authkey = randomBytes(256)
  for (const node of nodes) {
    await writeNode(lab, node, { ...texts, secrets: fenceSecrets(lab, login), authkey })
  }
  await createNetwork(lab)
  if (quorumDevice) await startArbiter(lab)
  await Promise.all(nodes.map((node) => createBmcs(lab, node, login)))
  // From here on there is a lab: others may look at it while the nodes boot.
  const described = JSON.stringify({ nodes, profile, daemon, quorumDevice })
  await writeFile(path.join(lab.dir, 'lab.json.new'), described)
  await rename(path.join(lab.dir, 'lab.json.new'), path.join(lab.dir, 'lab.json'))
  await Promise.all(nodes.map((node) => power(lab, node, 'on')))
}

/** Making the directory is what decides between two that start the same lab at once. */
async function makeStateDir(lab: Lab): Promise<void> {
  await mkdir(labsDir(), { recursive: true, mode: 0o700 })
  try {
    await mkdir(lab.dir, { mode: 0o700 })
  } catch (error) {
    throw new LabError(`The lab "${lab.name}" is just being made by someone else.`, 3, {
      cause: error,
    })
  }
  await mkdir(path.join(lab.dir, 'shared'), { mode: 0o777 })
}

interface NodeTexts {
  readonly config: string
  readonly secrets: string
  readonly corosync: string
  readonly authkey: Uint8Array
  readonly diskMb: number | undefined
  readonly pidOne: string | undefined
}

async function writeNode(lab: Lab, node: string, texts: NodeTexts): Promise<void> {
  const dir = nodeDir(lab, node)
  const at = (...parts: string[]) => path.join(dir, ...parts)
  const folders = ['run', 'log/corosync', 'etc-picket', 'etc-corosync/uidgid.d', 'lib-corosync']
  for (const folder of folders) await mkdir(at(folder), { recursive: true, mode: 0o755 })
  await mkdir(at('lib-picket'), { mode: 0o700 })
  if (texts.diskMb !== undefined) {
    // Outside of the node, so that it keeps what was written through a loss of power.
    const size = `size=${texts.diskMb}m,mode=700`
    await must(['mount', '-t', 'tmpfs', '-o', size, 'tmpfs', at('lib-picket')])
  }
  await writeFile(at('node.conf'), nodeConf(lab, node))
  if (texts.pidOne !== undefined) await writeFile(at('pid-one'), `${texts.pidOne}\n`)
  if (lab.daemon !== undefined) await writeFile(at('daemon'), `${lab.daemon.join('\n')}\n`)
  await writeFile(at('machine-id'), `${randomUUID().replaceAll('-', '')}\n`)
  await writeFile(at('hosts'), hosts(lab))
  await writeFile(at('etc-picket/config.yaml'), texts.config, { mode: 0o644 })
  await writeFile(at('etc-picket/fence-secrets.yaml'), texts.secrets, { mode: 0o600 })
  await writeFile(at('etc-picket/hardware-uuid'), `${randomUUID()}\n`, { mode: 0o644 })
  await writeFile(at('etc-corosync/corosync.conf'), texts.corosync, { mode: 0o644 })
  await writeFile(at('etc-corosync/authkey'), texts.authkey, { mode: 0o400 })
  await writeFile(at('log/picketd.log'), '', { mode: 0o600 })
}

/** Read by the shell scripts. Only the search path can hold anything that a shell would mind. */
function nodeConf(lab: Lab, node: string): string {
  return `NODE=${node}
INDEX=${indexOf(lab, node)}
LAB=${lab.name}
NETNS=${nodeNetns(lab, node)}
SWITCH=${switchNetns(lab)}
LAB_PATH='${searchPath.replaceAll("'", "'\\''")}'
`
}

function hosts(lab: Lab): string {
  const nodes = lab.nodes.map((node) => `${nodeAddress(lab, node, 0)} ${node}`)
  return `127.0.0.1 localhost\n::1 localhost\n${nodes.join('\n')}\n`
}

async function createBmcs(lab: Lab, node: string, login: BmcLogin): Promise<void> {
  const uuid = await hardwareUuid(lab, node)
  for (const level of bmcLevels) await createBmc(lab, node, level, login, uuid)
}

/** The hardware uuid of a node, which is also the GUID of its BMCs. */
export async function hardwareUuid(lab: Lab, node: string): Promise<string> {
  const file = path.join(nodeDir(lab, node), 'etc-picket/hardware-uuid')
  return (await readFile(file, 'utf8')).trim()
}

/** The login of a node's BMCs, as Picket reads it from the node's secrets. */
export async function bmcLogin(lab: Lab, node: string): Promise<BmcLogin> {
  const file = path.join(nodeDir(lab, node), 'etc-picket/fence-secrets.yaml')
  const { ipmi } = parse(await readFile(file, 'utf8')) as { ipmi: Record<string, BmcLogin> }
  const login = ipmi[node]
  if (login === undefined) throw new LabError(`${file} has no login for ${node}.`)
  return login
}
