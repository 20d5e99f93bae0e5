/**
 * A virtual machine of libvirt (KVM, Xen, LXC), through `virsh`: on this machine, over ssh or TLS.
 *
 * A machine that was migrated away is shown as `shut off` where it has left. So all hypervisors on
 * which it may run are asked, every time, and a single one on which it runs outweighs the others.
 *
 * @see virsh(1): domstate, destroy, start; libvirt.org/uri.html for what ssh is given.
 */
import { join } from 'node:path'
import { z } from 'zod'
import type { ChildResult } from '../../foreign/child.ts'
import { defineDriver, type Status } from '../driver.ts'
import { FenceError, printable } from '../errors.ts'
import type { Kind, Wire } from '../wire.ts'
import {
  type DomainPower,
  listDomains,
  listed,
  plainName,
  powerOf,
  spareOf,
} from './libvirt-domains.ts'
import { failureOf } from './libvirt-failure.ts'

const uri = z
  .string()
  .regex(
    /^(qemu|xen|lxc|ch|test)(\+(unix|ssh|tls))?:\/\/[^\s'"]*$/,
    'is not like qemu:///system, qemu+ssh://user@host/system or qemu+tls://host/system',
  )
  .refine((text) => !/[?&]no_verify=/.test(text), 'is open to anybody who answers: drop no_verify')

const options = z.strictObject({
  uri: z.union([uri, z.array(uri).min(1)]).meta({
    title: 'The hypervisor; a list of all of them where the machine may be migrated',
  }),
  domain: z
    .string()
    .regex(plainName, 'is no plain name; write the UUID instead')
    .regex(
      /\D/,
      'is a number, and taken for an id that changes at every start; write the UUID instead',
    )
    .meta({ title: 'Name or UUID of the virtual machine' }),
  identity_file: z
    .string()
    .startsWith('/', 'is not an absolute path')
    .optional()
    .meta({ title: 'Private key for ssh, without a passphrase' }),
  missing_as_off: z
    .boolean()
    .default(false)
    .meta({
      title:
        'A hypervisor that does not know the machine, or has migrated it away, does not stand ' +
        'against the off that another one reads',
    }),
})

type Options = z.output<typeof options>

/** What one hypervisor says. */
interface Sight {
  readonly uri: string
  readonly power: DomainPower
  readonly raw: string
  readonly uuid?: string
  /** Every line, for what else was asked. */
  readonly lines: readonly string[]
}

export const libvirt = defineDriver({
  name: 'libvirt',
  title: 'A virtual machine of libvirt, through virsh',
  options,
  capabilities: {
    hardOff: true,
    statusAuthoritative: true,
    isolation: 'power',
    sharedFate: 'host-power',
    // A migration that ends between two questions shows the machine nowhere; the next ones find it.
    readGapMs: 500,
    // libvirt waits up to 30 s for another operation on the machine, then 30 s for its process.
    lateMs: 60_000,
    // autostart, libvirt-guests, a Pacemaker on the hypervisor, an administrator.
    returnsMs: 60_000,
    settleMs: 5_000,
    vouches: true,
    // SIGTERM, then SIGKILL after 10 s and more.
    timeoutMs: 20_000,
  },

  plug: 'domain',
  endpoint: (options) => urisOf(options).join(' '),

  status: async (options, wire) => judge(options, await look(options, wire)),

  async powerOff(options, wire) {
    await refuseNamesakes(options, wire)
    const asked = urisOf(options).map((uri) => destroyAt(options, wire, uri))
    const answers = await Promise.allSettled(asked)
    const said = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    // It ran there, and a machine runs in one place. The reads that follow ask everywhere.
    if (said.includes('destroyed')) return
    const failed = answers.flatMap((answer) => (answer.status === 'rejected' ? answer.reason : []))
    if (failed.length > 0) throw failed.find(mayComeLate) ?? failed[0]
    if (!said.includes('not running')) throw unknownTo(options, urisOf(options))
  },

  async powerOn(options, wire) {
    const sights = await look(options, wire)
    const { power, raw } = judge(options, sights)
    if (power === 'on') return
    const home = sights.find((sight) => sight.power === 'off')
    if (power !== 'off' || home === undefined) {
      const mend = 'bring it to "shut off" by hand (virsh destroy, virsh managedsave-remove)'
      throw new FenceError('refused', `"${raw}" is not started`, mend)
    }
    const ran = await virsh(options, wire, home.uri, [command('start', options)], 'command')
    if (ran.code !== 0 && !/Domain is already active/.test(ran.stderr))
      throw failureOf(ran, at(options, home.uri, ''))
  },

  async verify(options, wire) {
    const sights = await look(options, wire, ['dominfo'])
    const { identity, raw } = judge(options, sights)
    const missing = sights.filter(({ uuid }) => uuid === undefined).map(({ uri }) => uri)
    if (missing.length > 0 && !options.missing_as_off) throw unknownTo(options, missing)
    const has = (pattern: RegExp) =>
      sights.some(({ lines }) => lines.some((line) => pattern.test(line)))
    if (has(/^Persistent: +no$/)) {
      const mend = 'define it: virsh define; virsh migrate --persistent'
      throw new FenceError('noSuchPlug', 'a transient machine is forgotten once it is off', mend)
    }
    const autostart = has(/^Autostart: +enable$/) ? ', started again with its hypervisor' : ''
    // Whoever is let in to more than reading may destroy, unless libvirt has finer rules.
    return { identity, detail: `${options.domain} is ${raw}, UUID ${identity}${autostart}` }
  },

  async list(options, wire) {
    return await listDomains(urisOf(options), (uri, commands) =>
      virsh(options, wire, uri, commands, 'question'),
    )
  },
})

const urisOf = ({ uri }: Pick<Options, 'uri'>): readonly string[] =>
  typeof uri === 'string' ? [uri] : uri

/** What was said, and where, if that is not clear. */
const at = (options: Options, uri: string, text: string): string =>
  urisOf(options).length > 1 ? `${uri}: ${text}` : text

const mayComeLate = (error: unknown): boolean => !(error instanceof FenceError && error.inert)

function unknownTo({ domain }: Options, uris: readonly string[]): FenceError {
  const mend =
    uris.length > 1
      ? 'correct domain; where it is defined only where it runs, set missing_as_off'
      : undefined
  return new FenceError('noSuchPlug', `no ${domain} at ${uris.join(', ')}`, mend)
}

/** Another machine of the same name elsewhere would die with it. A dead hypervisor has no say. */
async function refuseNamesakes(options: Options, wire: Wire): Promise<void> {
  const uris = urisOf(options)
  if (uris.length === 1 || isUuid(options.domain)) return
  const answers = await Promise.allSettled(uris.map((uri) => lookAt(options, wire, uri, [])))
  judge(
    options,
    answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : [])),
  )
}

const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

/** Asks every hypervisor at once. One that fails spoils it all, unless another one runs it. */
async function look(
  options: Options,
  wire: Wire,
  also: readonly string[] = [],
): Promise<readonly Sight[]> {
  const uris = urisOf(options)
  const answers = await Promise.allSettled(uris.map((uri) => lookAt(options, wire, uri, also)))
  const sights = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  const failed = answers.find((answer) => answer.status === 'rejected')
  if (failed !== undefined && !sights.some(({ power }) => power === 'on')) throw failed.reason
  if (sights.every(({ uuid }) => uuid === undefined)) throw unknownTo(options, uris)
  return sights
}

async function lookAt(
  options: Options,
  wire: Wire,
  uri: string,
  also: readonly string[],
): Promise<Sight> {
  // Only the list tells a machine that is not there from a question that went wrong.
  const commands = ['list --all --uuid --name', ...also, 'domstate --reason']
  const full = commands.map((verb, at) => (at === 0 ? verb : command(verb, options)))
  const ran = await virsh(options, wire, uri, full, 'question')
  const lines = ran.stdout.split('\n').filter((line) => line !== '')
  const uuid = uuidIn(lines, options)
  const nobody = `error: failed to get domain '${options.domain}'`
  const said = new Set(ran.stderr.split('\n').filter((line) => line !== ''))
  if (uuid === undefined && ran.code === 1 && said.size === 1 && said.has(nobody)) {
    return { uri, power: 'away', raw: 'not there', lines: [] }
  }
  if (ran.code !== 0 || said.size > 0) throw failureOf(ran, at(options, uri, ''))
  const [raw = '', ...more] = lines.filter((line) => !listed.test(line)).reverse()
  if (uuid === undefined || (also.length === 0 && more.length > 0)) {
    const detail = `"${printable(ran.stdout)}" is no list and state`
    throw new FenceError('garbled', at(options, uri, detail))
  }
  return { uri, power: powerOf(raw), raw: printable(raw), uuid, lines }
}

function uuidIn(lines: readonly string[], { domain }: Options): string | undefined {
  for (const line of lines) {
    const [, uuid, name] = listed.exec(line) ?? []
    if (uuid === domain.toLowerCase() || name === domain) return uuid
  }
  return undefined
}

/** Off only where all agree; on where a single one runs it. */
function judge(options: Options, sights: readonly Sight[]): Status {
  const uuids = [...new Set(sights.flatMap(({ uuid }) => uuid ?? []))]
  if (uuids.length > 1) {
    const detail = `${options.domain} is another machine elsewhere: ${uuids.join(', ')}`
    throw new FenceError('identity', detail, 'write the UUID as domain')
  }
  const powers = sights.map(({ power }) => power)
  const agrees = (power: Sight['power']): boolean =>
    power === 'off' || (power === 'away' && options.missing_as_off)
  const off = powers.includes('off') && powers.every(agrees)
  return {
    power: powers.includes('on') ? 'on' : off ? 'off' : 'unknown',
    raw: sights.map(({ uri, raw }) => at(options, uri, raw)).join(', '),
    identity: uuids[0],
    spare: sights.map(({ raw }) => spareOf(raw)).find((why) => why !== undefined),
  }
}

async function destroyAt(
  options: Options,
  wire: Wire,
  uri: string,
): Promise<'destroyed' | 'not running' | 'missing'> {
  // Never --graceful: it would spare a process that does not end by itself.
  const ran = await virsh(options, wire, uri, [command('destroy', options)], 'command')
  if (ran.code === 0) return 'destroyed'
  if (/domain is not running/.test(ran.stderr)) return 'not running'
  const failure = failureOf(ran, at(options, uri, ''))
  if (failure.failure === 'noSuchPlug') return 'missing'
  throw failure
}

const command = (verb: string, { domain }: Options): string => `${verb} --domain ${domain}`

/** One virsh, one connection, for one command or several. */
function virsh(
  options: Omit<Options, 'domain'>,
  wire: Wire,
  uri: string,
  commands: readonly string[],
  kind: Kind,
): Promise<ChildResult> {
  const args = ['-q', '-c', dialled(uri, options), commands.join('; ')]
  return wire.run('virsh', args, {
    env: { LC_ALL: 'C' },
    debianPackage: 'libvirt-clients',
    kind,
  })
}

/** The URI with what ssh has to be told. */
function dialled(uri: string, { identity_file }: Pick<Options, 'identity_file'>): string {
  if (!/^\w+\+ssh:/.test(uri)) return uri
  const [base = '', query = ''] = uri.split('?')
  const ours = {
    no_tty: '1',
    command: join(import.meta.dirname, 'libvirt-ssh.sh'),
    ...(identity_file !== undefined && { keyfile: identity_file }),
  }
  const theirs = query
    .split('&')
    .filter((part) => part !== '' && !Object.hasOwn(ours, nameOf(part)))
  const added = Object.entries(ours).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  return `${base}?${[...theirs, ...added].join('&')}`
}

const nameOf = (part: string): string => part.split('=')[0] ?? ''
