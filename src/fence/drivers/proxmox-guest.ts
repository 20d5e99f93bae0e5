/**
 * One guest of Proxmox VE: where it is now, whether it is the right one, and what its state comes
 * to. The list of all guests is a cache: it tells where to ask, and nothing else.
 */
import type { Power } from '../../core/model.ts'
import type { Target } from '../driver.ts'
import { FenceError, printable } from '../errors.ts'
import { sameIdentity } from '../identity.ts'
import { type Api, fieldsOf } from './proxmox-api.ts'

/** What the config says of a guest. */
export interface Wanted {
  readonly vmid: number
  readonly type?: 'qemu' | 'lxc' | undefined
  readonly node?: string | undefined
  readonly name?: string | undefined
  readonly uuid?: string | undefined
}

export interface Guest {
  readonly vmid: number
  readonly type: 'qemu' | 'lxc'
  readonly node: string
  readonly path: string
  readonly name: string
  /** Of its virtual hardware; undefined where it has none, or was not asked. */
  readonly uuid: string | undefined
  readonly status: string
  /** What QEMU says; a container has none. */
  readonly qmpstatus: string | undefined
  readonly lock: string | undefined
  /** What the HA manager is up to; undefined for a guest that is none of its business. */
  readonly ha: string | undefined
}

/** Where a guest is, and below which path its part of the API. */
export type Place = Pick<Guest, 'type' | 'node' | 'path'>

/** Asks the node of the guest, wherever that is now. Throws when it is not the wanted one. */
export async function inspect(
  api: Api,
  wanted: Wanted,
  { uuid: asksUuid }: { readonly uuid: boolean },
): Promise<Guest> {
  const { vmid, type, node } = wanted
  const hinted = type !== undefined && node !== undefined
  const place = hinted ? placeOf(node, type, vmid) : await locate(api, wanted)
  const { path } = place
  try {
    const hasUuid = asksUuid && place.type === 'qemu'
    const uuid = hasUuid ? uuidIn(await api.get(`${path}/config`)) : undefined
    // The state last, so that it is the freshest.
    const current = fieldsOf(await api.get(`${path}/status/current`), 'the state of a guest')
    const guest = { ...guestOf(current, vmid), ...place, uuid }
    check(guest, wanted, asksUuid)
    return guest
  } catch (error) {
    const gone = error instanceof FenceError && error.failure === 'noSuchPlug'
    if (!(hinted && gone)) throw error
    return await inspect(api, { ...wanted, node: undefined }, { uuid: asksUuid })
  }
}

function placeOf(node: string, type: Guest['type'], vmid: number): Place {
  return { node, type, path: `/nodes/${node}/${type}/${vmid}` }
}

/** All guests that we may see, and the state that each was in some seconds ago. */
async function allGuests(api: Api): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const list = await api.get('/cluster/resources?type=vm')
  if (!Array.isArray(list)) throw new FenceError('garbled', 'the list of guests is none')
  return list.map((entry) => fieldsOf(entry, 'a guest'))
}

/** The guests to choose from. Without the right to look at one it is left out without a word. */
export async function listGuests(api: Api): Promise<readonly Target[]> {
  const guests = await allGuests(api)
  if (guests.length === 0) {
    const mend =
      'give the user, and its token, VM.Audit and VM.PowerMgmt on the guests: those that it may ' +
      'not see are left out'
    throw new FenceError('privilege', 'the list of guests is empty', mend)
  }
  return (
    guests
      // A template never runs.
      .filter(
        ({ template, vmid }) => Number(template ?? 0) === 0 && Number.isSafeInteger(Number(vmid)),
      )
      .map((entry) => ({
        plug: String(entry.vmid),
        name: textOf(entry.name) ?? '',
        power: listedPower(entry),
      }))
  )
}

function listedPower({ type, status, lock, hastate }: Readonly<Record<string, unknown>>): Power {
  // The list does not say what QEMU says: a guest that is paused is running here.
  if (status === 'running') return 'on'
  return powerOf({
    type: type === 'lxc' ? 'lxc' : 'qemu',
    node: '',
    status: textOf(status) ?? '',
    qmpstatus: undefined,
    lock: textOf(lock),
    ha: textOf(hastate),
  }).power
}

/** Looks a guest up in the list of all guests. */
export async function locate(api: Api, { vmid, type }: Wanted): Promise<Place> {
  const list = await allGuests(api)
  const entry = list.find((each) => Number(each.vmid) === vmid)
  if (entry === undefined) throw await absence(api, vmid, list.length)
  const found = entry.type
  if ((found !== 'qemu' && found !== 'lxc') || !/^[\w-]+$/.test(String(entry.node))) {
    throw new FenceError('garbled', `guest ${vmid} is ${found} on ${printable(String(entry.node))}`)
  }
  if (type !== undefined && type !== found) {
    throw new FenceError('identity', `${vmid} is ${found}, and the config says ${type}`)
  }
  return placeOf(String(entry.node), found, vmid)
}

/** Guests that we may not see are left out of the list without a word. */
async function absence(api: Api, vmid: number, count: number): Promise<FenceError> {
  const among =
    count === 0 ? 'the list of guests is empty' : `it is none of the ${count} we may see`
  const lacking = await missingPrivileges(api, vmid).catch(() => undefined)
  if (lacking?.includes('VM.Audit')) {
    const detail = `${among}: we lack ${lacking.join(' and ')} on /vms/${vmid}`
    return new FenceError('privilege', detail, 'give the user, and its token, a role with both')
  }
  const mend = 'correct vmid; or permissions are missing: VM.Audit on the guest makes it visible'
  return new FenceError('noSuchPlug', `${vmid}: ${among}`, mend)
}

/** What we need and have not. A privilege counts whether or not it propagates. */
export async function missingPrivileges(api: Api, vmid: number): Promise<readonly string[]> {
  const path = `/vms/${vmid}`
  const all = fieldsOf(await api.get(`/access/permissions?path=${path}`), 'a list of permissions')
  const own = fieldsOf(all[path] ?? {}, 'privileges')
  return ['VM.PowerMgmt', 'VM.Audit'].filter((privilege) => !Object.hasOwn(own, privilege))
}

function guestOf(current: Readonly<Record<string, unknown>>, vmid: number) {
  if (Number(current.vmid) !== vmid) {
    throw new FenceError('identity', `asked for ${vmid}, answered ${printable(`${current.vmid}`)}`)
  }
  const { status, name, qmpstatus, lock, ha } = current
  return {
    vmid,
    name: textOf(name) ?? '',
    status: textOf(status) ?? 'no status',
    qmpstatus: textOf(qmpstatus),
    lock: textOf(lock),
    ha: haOf(ha),
  }
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? printable(value, 80) : undefined

function haOf(ha: unknown): string | undefined {
  const { managed, state } = fieldsOf(ha ?? { managed: 1 }, 'what the HA manager says')
  if (managed !== undefined && Number(managed) === 0) return undefined
  return textOf(state) ?? 'unknown'
}

/** `smbios1: base64=1,uuid=…` */
function uuidIn(config: unknown): string | undefined {
  const { smbios1 } = fieldsOf(config, 'the configuration of a guest')
  const text = typeof smbios1 === 'string' ? smbios1 : ''
  return /(?:^|,)uuid=([0-9a-fA-F-]{36})(?:,|$)/.exec(text)?.[1]
}

function check(guest: Guest, { name, uuid }: Wanted, asked: boolean): void {
  if (name !== undefined && guest.name !== name) {
    const found = guest.name === '' ? 'has no name' : `is called ${guest.name}`
    throw new FenceError('identity', `guest ${guest.vmid} ${found}, and the config says ${name}`)
  }
  if (uuid !== undefined && asked && !(guest.uuid && sameIdentity(uuid, guest.uuid))) {
    const found = guest.uuid ?? 'none'
    throw new FenceError('identity', `guest ${guest.vmid} has uuid ${found}, the config ${uuid}`)
  }
}

/** States in which the HA manager does not start the guest, however long we wait. */
const managerRests = ['stopped', 'request_stop', 'ignored', 'error']
/** What a guest that is off may be locked for, without running elsewhere or merely sleeping. */
const calmLocks = ['backup', 'snapshot', 'snapshot-delete', 'mounted']

type State = Pick<Guest, 'type' | 'node' | 'status' | 'qmpstatus' | 'lock' | 'ha'>

/** What Proxmox VE may be at while a guest that runs does not answer for a moment (F18). */
const passingLocks = ['migrate', 'backup', 'snapshot', 'snapshot-delete']

/** Why the guest may be back by itself. */
export function spareOf({ status, lock }: Guest): string | undefined {
  const busy = status === 'running' && lock !== undefined && passingLocks.includes(lock)
  return busy ? `Proxmox VE is at work on it: lock ${lock}` : undefined
}

/** Words that are in no list mean that we do not know. */
export function powerOf(guest: State): { power: 'on' | 'off' | 'unknown'; raw: string } {
  const { type, status, qmpstatus, lock, ha, node } = guest
  const words = [
    status,
    ...(qmpstatus !== undefined ? [`qmpstatus ${qmpstatus}`] : []),
    ...(lock !== undefined ? [`lock ${lock}`] : []),
    ...(ha !== undefined ? [`HA ${ha}`] : []),
  ]
  const raw = `${words.join(', ')} on ${node}`
  const calm = lock === undefined || calmLocks.includes(lock)
  const stays = ha === undefined || managerRests.includes(ha)
  // Older versions may say nothing of the QEMU of a guest that is stopped.
  const gone = qmpstatus === undefined || qmpstatus === 'stopped'
  if (status === 'stopped' && gone && calm && stays) return { power: 'off', raw }
  const lives = type === 'lxc' || qmpstatus === 'running'
  if (status === 'running' && lives) return { power: 'on', raw }
  return { power: 'unknown', raw }
}
