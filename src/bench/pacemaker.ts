/**
 * Pacemaker as a contender: on the same Corosync, with `fence_ipmilan` on the same BMCs, and a
 * group of the address (`IPaddr2`) and the same service (`anything`).
 */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ownersOf } from '../demo/witness.ts'
import {
  bmcAddress,
  bmcLogin,
  downLab,
  exec,
  type Lab,
  LabError,
  type Profile,
  processesIn,
  sharedDir,
  spawnIn,
  until,
  upLab,
  VIP,
} from '../lab/lab.ts'
import { cannotFind } from '../lab/programs.ts'
import { type Contender, type Mover, mendNodes, type Span, stamps } from './contender.ts'
import { webServer } from './web.ts'

export const whyNoPacemaker = () =>
  cannotFind([
    ...(['pacemakerd', 'crm_mon', 'fence_ipmilan'] as const),
    '/usr/lib/ocf/resource.d/heartbeat/IPaddr2',
  ])

/** `alone`: the address without the service. */
export async function openPacemaker(
  profile: Profile,
  alone = false,
  name = 'bench-p',
): Promise<Contender & Mover> {
  await downLab(name)
  const lab = await upLab({ name, profile, daemon: false })
  const restore = async () => {
    await mendNodes(lab)
    for (const node of lab.nodes) await start(lab, node)
    await whole(lab, /Started/)
  }
  for (const node of lab.nodes) await start(lab, node)
  await whole(lab, /Online/)
  await configure(lab, alone)
  await whole(lab, /Started/)
  return {
    name: 'Pacemaker',
    lab,
    onCorosync: true,
    async arrange(led) {
      const said = await ask(lab, ['crmadmin', '-D'])
      const leader = /\bnode\d+/.exec(said)?.[0]
      const [owner] = ownersOf(lab)
      if (leader === undefined || owner === undefined) return false
      if ((owner === leader) === led) return true
      await moveTo(lab, led ? leader : lab.nodes.find((node) => node !== leader)!)
      return true
    },
    device: async (victim, sinceMs) => deviceOf(lab, victim, sinceMs),
    restore,
    move: (to) => moveTo(lab, to),
    close: async () => void (await downLab(name)),
  }
}

const logOf = (node: string) => `pacemaker-${node}.log`

async function start(lab: Lab, node: string): Promise<void> {
  if (processesIn(lab, node).some((process) => process.name === 'pacemakerd')) return
  const folders = 'mkdir -p /run/crm /run/resource-agents && chown hacluster:haclient /run/crm'
  await exec(lab, node, ['sh', '-c', folders])
  const env = { PCMK_logfile: `/srv/shared/${logOf(node)}` }
  spawnIn(lab, node, ['setsid', 'pacemakerd'], { stdio: 'ignore', env })
}

/** One question on the first node that answers it. */
async function ask(lab: Lab, argv: readonly string[], input?: string): Promise<string> {
  let said = ''
  for (const node of lab.nodes) {
    const { status, stdout, stderr } = await exec(lab, node, argv, { input: input ?? '' })
    if (status === 0) return stdout
    said = stderr.trim()
  }
  throw new LabError(`\`${argv.join(' ')}\` fails everywhere: ${said}`)
}

/** All nodes are online, and what is configured runs, as far as `runs` asks for it. */
async function whole(lab: Lab, runs: RegExp): Promise<void> {
  const online = `Online: [ ${lab.nodes.join(' ')} ]`
  let said = ''
  const isWhole = async () => {
    said = await ask(lab, ['crm_mon', '-1']).catch((error: Error) => error.message)
    const isOn = said.includes(online) && runs.test(said)
    return isOn && !/Stopped|Starting|Stopping|FAILED|pending/.test(said)
  }
  if (await until(isWhole, 120_000, 1_000)) return
  throw new LabError(`Pacemaker is not whole after 120 s:\n${said}`)
}

async function moveTo(lab: Lab, node: string): Promise<void> {
  await ask(lab, ['crm_resource', '--move', '--resource', 'site', '--node', node])
  if (!(await until(() => ownersOf(lab)[0] === node, 30_000))) {
    throw new LabError(`Pacemaker does not move the address to ${node}.`)
  }
  await sleep(1_000)
  await ask(lab, ['crm_resource', '--clear', '--resource', 'site'])
  await whole(lab, /Started/)
}

/** From the fencer's first request to its word that the node is off, in the logs of the others. */
function deviceOf(lab: Lab, victim: string, sinceMs: number): Span | undefined {
  const logs = lab.nodes
    .filter((node) => node !== victim)
    .map((node) => path.join(sharedDir(lab), logOf(node)))
  const first = (wanted: RegExp) =>
    Math.min(...logs.flatMap((file) => stamps(file, wanted)).filter((atMs) => atMs >= sinceMs))
  const fromMs = first(new RegExp(`Requesting peer fencing \\(off\\) targeting ${victim}`))
  const untilMs = first(new RegExp(`Operation 'off' targeting ${victim} .*: (OK|complete)`))
  return Number.isFinite(untilMs - fromMs) ? { fromMs, untilMs } : undefined
}

async function configure(lab: Lab, alone: boolean): Promise<void> {
  for (const [name, value] of [
    ['stonith-enabled', 'true'],
    ['stonith-action', 'off'],
  ] as const) {
    await ask(lab, ['crm_attribute', '-t', 'crm_config', '-n', name, '-v', value])
  }
  await ask(lab, ['crm_attribute', '-t', 'rsc_defaults', '-n', 'resource-stickiness', '-v', '100'])
  const fences = await Promise.all(lab.nodes.map((node) => fenceDevice(lab, node)))
  // A command line could be read by anybody; a password goes in on standard input.
  for (const xml of [...fences, site(alone)]) {
    await ask(lab, ['cibadmin', '-C', '-o', 'resources', '-p'], xml)
  }
  for (const node of lab.nodes) {
    const away = `id="not-${node}" rsc="fence-${node}" node="${node}" score="-INFINITY"`
    await ask(lab, ['cibadmin', '-C', '-o', 'constraints', '-p'], `<rsc_location ${away}/>`)
  }
}

async function fenceDevice(lab: Lab, node: string): Promise<string> {
  const { user, password } = await bmcLogin(lab, node)
  const options = {
    ip: bmcAddress(lab, node, 1),
    username: user,
    password,
    lanplus: '1',
    cipher: '3',
    pcmk_host_list: node,
  }
  return `<primitive id="fence-${node}" class="stonith" type="fence_ipmilan">
    ${attributes(`fence-${node}`, options)}</primitive>`
}

function site(alone: boolean): string {
  const [binfile = '', ...words] = webServer
  const vip = attributes('vip', { ip: VIP, cidr_netmask: '24', nic: 'eth0' })
  const web = attributes('web', { binfile, cmdline_options: words.join(' ') })
  const monitor = (id: string) =>
    `<operations><op id="${id}-m" name="monitor" interval="5s" timeout="20s"/></operations>`
  const agent = (id: string, type: string, rest: string) =>
    `<primitive id="${id}" class="ocf" provider="heartbeat" type="${type}">
      ${rest}${monitor(id)}</primitive>`
  const members = [agent('vip', 'IPaddr2', vip), ...(alone ? [] : [agent('web', 'anything', web)])]
  return `<group id="site">${members.join('')}</group>`
}

function attributes(id: string, values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(
    ([name, value]) => `<nvpair id="${id}-${name}" name="${name}" value="${value}"/>`,
  )
  return `<instance_attributes id="${id}-a">${pairs.join('')}</instance_attributes>`
}
