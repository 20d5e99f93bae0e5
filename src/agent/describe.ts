/**
 * What the agents have to know of the drivers before they do anything: their parameters, and what
 * their devices take. It follows from the drivers' schemas and is kept in drivers.json, so that an
 * agent tells its metadata and refuses a wrong call without loading a single driver.
 */
import { code, type Option, rowsOf } from '../config/reference.ts'
import type { Driver } from '../fence/driver.ts'
import { driverNames, loadDriver } from '../fence/drivers/index.ts'
import type { DriverFacts, OptionFacts } from './facts.ts'

/** The facts of all drivers that can prove an off. */
export async function describeDrivers(): Promise<Readonly<Record<string, DriverFacts>>> {
  const drivers = await Promise.all(driverNames.map(loadDriver))
  return Object.fromEntries(
    drivers
      .filter(proves)
      .filter(isNoAgent)
      .map((driver) => [driver.name, factsOf(driver)] as const),
  )
}

function proves({ capabilities: { hardOff, statusAuthoritative, isolation } }: Driver): boolean {
  return hardOff && statusAuthoritative && isolation === 'power'
}

/** The driver `recorder` speaks through an agent that Pacemaker can ask itself. */
const isNoAgent = ({ name }: Driver): boolean => name !== 'recorder'

function factsOf({ title, plug, list, options, capabilities }: Driver): DriverFacts {
  const { timeoutMs, settleMs, readGapMs } = capabilities
  const rows = rowsOf(options).filter(({ path }) => !/[.[]/.test(path))
  return {
    ...{ title, timeoutMs, settleMs, readGapMs },
    ...(plug !== undefined && { plug }),
    lists: list !== undefined,
    options: rows.map(({ path, option, required }) => optionOf(path, option, required)),
  }
}

function optionOf(name: string, option: Option, required: boolean): OptionFacts {
  const choices = option.enum ?? (option.const === undefined ? undefined : [option.const])
  const standard = code(option.default).replaceAll(/[`"]/g, '')
  const kinds: Readonly<Record<string, OptionFacts['type']>> = {
    boolean: 'boolean',
    integer: 'integer',
  }
  return {
    name,
    title: option.title ?? '',
    type: choices === undefined ? (kinds[option.type ?? ''] ?? 'string') : 'select',
    ...(choices !== undefined && { choices: choices.map(String) }),
    ...(standard !== '' && { standard: plainWord(standard) }),
    ...(required && { required }),
    ...(option.secret === true && { secret: true }),
  }
}

/** Agents write booleans as 1 and 0. */
const plainWord = (text: string): string => (text === 'true' ? '1' : text === 'false' ? '0' : text)
