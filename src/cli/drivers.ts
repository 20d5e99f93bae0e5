/**
 * `picket drivers`: which fence drivers there are, what each can promise, its options, and what
 * could be switched with the credentials that the configuration holds for it.
 */
import type { z } from 'zod'
import { defaultConfigFile } from '../config/paths.ts'
import { didYouMean } from '../config/suggest.ts'
import type { Capabilities } from '../fence/driver.ts'
import { defineCommand, type ExitCode, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

export const command = defineCommand({
  name: 'drivers',
  words: ['[NAME]'],
  about: `Lists the fence drivers, and which can prove a node off. With NAME: what that driver can
promise, and every option of a step with it. Touches no device without --targets.

--targets: asks the devices of this driver in the configuration what they could switch, and says
which node uses it. Only reads. A step need not name its target yet. That something is listed does
not mean that we may switch it: \`picket fence check\` tells. Exit code 0 only if every device has
answered.`,
  flags: {
    targets: { title: 'With NAME: what could be switched, with the credentials of the config' },
    config: { value: 'FILE', title: `With --targets: the configuration (${defaultConfigFile})` },
    json: { title: 'One JSON document on standard output' },
  },
  async run({ words: [name], flags: { targets = false, config, json = false } }, terminal) {
    const { driverNames } = await import('../fence/drivers/index.ts')
    if (config !== undefined && !targets) throw new UsageError('--config belongs to --targets.')
    if (name === undefined) {
      if (targets) throw new UsageError('NAME is missing: --targets asks for one driver.')
      return await list(driverNames, json, terminal)
    }
    if (!driverNames.includes(name)) {
      const hint = didYouMean(name, driverNames)
      const known = driverNames.join(', ')
      throw new UsageError(`there is no driver "${name}"; there are: ${known}.${hint}`)
    }
    if (!targets) return await show(name, json, terminal)
    const { listTargets } = await import('./targets.ts')
    return await listTargets({ name, config: config ?? defaultConfigFile, json }, terminal)
  },
})

async function list(names: readonly string[], json: boolean, { out }: Terminal): Promise<ExitCode> {
  const { loadDriver } = await import('../fence/drivers/index.ts')
  const drivers = await Promise.all([...names].sort().map(loadDriver))
  if (json) {
    const told = drivers.map(({ name, title, capabilities }) => ({
      ...{ name, title },
      proves: provesOff(capabilities) ? 'off' : 'nothing',
    }))
    out(JSON.stringify(told))
    return 0
  }
  const width = Math.max(...drivers.map(({ name }) => name.length))
  for (const { name, title, capabilities } of drivers) {
    const proof = provesOff(capabilities) ? 'proves off' : 'proves nothing'
    out(`${name.padEnd(width)}  ${proof.padEnd(14)}  ${title}`)
  }
  out('\n`picket drivers NAME` shows the options of one.')
  return 0
}

async function show(name: string, json: boolean, { out, paint }: Terminal): Promise<ExitCode> {
  const { loadDriver } = await import('../fence/drivers/index.ts')
  const { code, rowsOf, takes } = await import('../config/reference.ts')
  const { commonSchema } = await import('../config/merge.ts')
  const { title, options, ...driver } = await loadDriver(name)
  const capabilities = { ...driver.capabilities, list: driver.list !== undefined }
  const told = (schema: z.ZodType) =>
    rowsOf(schema).map(({ path, option, required }) => ({
      option: path,
      required,
      default: option.default,
      takes: takes(option).replaceAll('`', ''),
      secret: option.secret === true,
      title: option.title ?? '',
    }))
  const own = told(options)
  const common = told(commonSchema)
  if (json) {
    out(JSON.stringify({ name, title, capabilities, options: own, stepOptions: common }))
    return 0
  }
  out(`${paint('strong', name)}  ${title}\n`)
  out(promiseOf(capabilities))
  if (capabilities.list) out(`  lists what it could switch: \`picket drivers ${name} --targets\``)
  out('\nOptions')
  for (const row of own) printRow(row)
  out('\nOptions of every step, whatever its driver')
  for (const row of common) printRow(row)
  return 0

  function printRow(row: (typeof own)[number]): void {
    const standard = code(row.default).replaceAll('`', '')
    const facts = [row.takes, row.required ? 'required' : standard && `default ${standard}`]
    out(`  ${paint('strong', row.option)}  (${facts.filter(Boolean).join('; ')})`)
    out(`      ${row.title}`)
  }
}

/** Can a level that ends with this driver prove a node off? */
function provesOff({ hardOff, statusAuthoritative, isolation }: Capabilities): boolean {
  return hardOff && statusAuthoritative && isolation === 'power'
}

interface Promised {
  readonly hardOff: boolean
  readonly statusAuthoritative: boolean
  readonly readGapMs: number
  readonly lateMs: number
  readonly returnsMs: number
  readonly timeoutMs: number
  readonly bootMark?: string
}

/** What follows from its capabilities for a person who chooses. */
function promiseOf(promised: Promised): string {
  const { hardOff, statusAuthoritative, readGapMs, lateMs, returnsMs, timeoutMs } = promised
  const { bootMark } = promised
  const seconds = (spanMs: number) => `${spanMs / 1000} s`
  const proof =
    hardOff && statusAuthoritative
      ? `proves off by two readings, ${seconds(readGapMs)} apart`
      : 'proves nothing by itself: another level has to'
  const returns =
    returnsMs === 0
      ? []
      : [`  is watched for ${seconds(returnsMs)}, as something else may switch it on again`]
  return [
    `  ${proof}`,
    `  gives a command or a reading ${seconds(timeoutMs)}`,
    `  may carry out a command that was not answered for ${seconds(lateMs)} more`,
    ...(bootMark === undefined ? [] : [`  can reset instead, proven by another ${bootMark}`]),
    ...returns,
  ].join('\n')
}
