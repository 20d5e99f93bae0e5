/**
 * What fencing asks of a BMC: the power of the chassis, its switch, and the name of the machine.
 *
 * @see IPMI 2.0 revision 1.1: 28.2 and 28.3 (Get Chassis Status, Chassis Control), 22.14 (Get
 * System GUID).
 */
import type { Power } from '../../core/model.ts'
import { FenceError } from '../errors.ts'
import { completionError, NOT_IN_THIS_STATE } from './codes.ts'
import { commands } from './message.ts'
import type { Session } from './session.ts'

export interface ChassisPower {
  readonly power: Power
  readonly raw: string
}

/** What Chassis Control calls them. Each done twice is done once: copies may be on their way. */
const deeds = { off: 0, on: 1 } as const

export type Deed = keyof typeof deeds

/** Reads the power from the hardware. */
export async function readPower(
  session: Session,
  gapsMs?: readonly number[],
): Promise<ChassisPower> {
  const { code, data } = await session.ask(commands.chassisStatus, undefined, gapsMs)
  if (code !== 0) throw completionError(code)
  return parsePower(data)
}

/**
 * The power in an answer to Get Chassis Status: the lowest bit of its first byte. The highest one
 * is reserved and zero; a byte that has it is no power state that we know (F2).
 */
export function parsePower(data: Buffer): ChassisPower {
  if (data.length < 3 || data.length > 4) {
    throw new FenceError('garbled', `a chassis status of ${data.length} bytes`)
  }
  const state = data.readUInt8(0)
  if ((state & 0x80) !== 0) {
    return { power: 'unknown', raw: `chassis status ${data.toString('hex')}` }
  }
  const power = (state & 1) === 0 ? 'off' : 'on'
  return { power, raw: `Chassis Power is ${power}` }
}

/** The GUID in hex, in the order in which it came; `undefined` for a BMC that tells none. */
export async function readGuid(session: Session): Promise<string | undefined> {
  try {
    const { code, data } = await session.ask(commands.systemGuid)
    return code === 0 && data.length === 16 ? data.toString('hex') : undefined
  } catch (error) {
    // Its power it has told all the same.
    if (error instanceof FenceError) return undefined
    throw error
  }
}

/** Resolves when the BMC has accepted the command. */
export async function control(session: Session, deed: Deed): Promise<void> {
  try {
    const { code } = await session.press(commands.chassisControl, Buffer.from([deeds[deed]]))
    // Some BMCs refuse to become what they are already. The reads that follow decide.
    if (code !== 0 && code !== NOT_IN_THIS_STATE) throw completionError(code)
  } catch (error) {
    if (!(await isDone(session, deed, error))) throw error
  }
}

/**
 * Where the answer was lost, the power itself may say that the command was heard. It counts only
 * when the session is closed afterwards for certain: then no copy of the command is still on its
 * way to a BMC that would take it.
 */
async function isDone(session: Session, wanted: Deed, error: unknown): Promise<boolean> {
  if (!(error instanceof FenceError) || error.failure !== 'timeout') return false
  try {
    const { power } = await readPower(session, LAST_GAPS_MS)
    return power === wanted && (await session.close())
  } catch {
    return false
  }
}

/** It has been silent for two seconds already: not much longer. */
const LAST_GAPS_MS = [300, 300]
