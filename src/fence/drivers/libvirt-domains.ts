/**
 * The virtual machines that hypervisors know, and what their states come to. virsh names no state
 * beside the UUIDs of its list, so that the states are asked for afterwards, all in one connection.
 */
import type { Power } from '../../core/model.ts'
import type { ChildResult } from '../../foreign/child.ts'
import type { Target } from '../driver.ts'
import { FenceError, printable } from '../errors.ts'
import { failureOf } from './libvirt-failure.ts'

/** A name that needs no quotes. */
export const plainName = /^[\w.:+@][\w.:+@-]*$/

/** A line of the list: UUID and name. */
export const listed = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) +(.*?) *$/

/** Shut off for good. `saved` may be restored with stale memory, `migrated` runs elsewhere (F2). */
const offs = ['destroyed', 'shutdown', 'crashed', 'failed'].map((why) => `shut off (${why})`)
const away = 'shut off (migrated)'

export type DomainPower = Power | 'away'

export function powerOf(raw: string): DomainPower {
  if (offs.includes(raw)) return 'off'
  if (raw === away) return 'away'
  return /^running \([a-z -]+\)$/.test(raw) ? 'on' : 'unknown'
}

/** What ends by itself, and lets the machine run on (F18). */
const pauses = ['migrating', 'dumping', 'creating snapshot', 'post-copy']

/** Why the machine may be back by itself. */
export function spareOf(raw: string): string | undefined {
  const busy = pauses.some((why) => raw === `paused (${why})`)
  return busy ? `its hypervisor is at work on it: ${raw}` : undefined
}

type Ask = (uri: string, commands: readonly string[]) => Promise<ChildResult>

interface Domain {
  readonly uuid: string
  readonly name: string
  readonly power: DomainPower
}

/** The machines of all hypervisors; one that migrates is a single one, wherever it is defined. */
export async function listDomains(uris: readonly string[], ask: Ask): Promise<readonly Target[]> {
  const found = (await Promise.all(uris.map((uri) => domainsAt(uri, ask)))).flat()
  const byUuid = Map.groupBy(found, ({ uuid }) => uuid)
  return [...byUuid].map(([uuid, same]): Target => {
    const name = same[0]?.name ?? ''
    const namesakes = found.some((other) => other.name === name && other.uuid !== uuid)
    const isPlug = plainName.test(name) && /\D/.test(name) && !namesakes
    return {
      plug: isPlug ? name : uuid,
      name,
      power: together(same.map(({ power }) => power)),
      identity: uuid,
    }
  })
}

/** On where a single one runs it, off where all that know it agree. */
function together(powers: readonly DomainPower[]): Power {
  if (powers.includes('on')) return 'on'
  return powers.every((power) => power === 'off') ? 'off' : 'unknown'
}

async function domainsAt(uri: string, ask: Ask): Promise<readonly Domain[]> {
  const ran = await ask(uri, ['list --all --uuid --name'])
  if (ran.code !== 0 || ran.stderr.trim() !== '') throw failureOf(ran, `${uri}: `)
  const lines = ran.stdout.split('\n').filter((line) => line.trim() !== '')
  const known = lines.map((line) => {
    const [, uuid = '', name = ''] = listed.exec(line) ?? []
    if (uuid !== '') return { uuid, name }
    throw new FenceError('garbled', `${uri}: "${printable(line)}" is no UUID and name`)
  })
  if (known.length === 0) return []
  const states = await statesAt(uri, known, ask)
  return known.map((each) => ({ ...each, power: powerOf(states.get(each.uuid) ?? '') }))
}

/** The states by UUID. A machine that has gone in the meantime has none, and spoils no other. */
async function statesAt(
  uri: string,
  known: readonly { readonly uuid: string }[],
  ask: Ask,
): Promise<ReadonlyMap<string, string>> {
  const commands = known.flatMap(({ uuid }) => [
    `echo =${uuid}=`,
    `domstate --reason --domain ${uuid}`,
  ])
  const ran = await ask(uri, commands)
  const said = [...ran.stdout.matchAll(/=([0-9a-f-]{36})=([^\n=]+)\n/g)]
  if (said.length === 0) throw failureOf(ran, `${uri}: `)
  return new Map(said.map(([, uuid = '', state = '']) => [uuid, state]))
}
