/**
 * A command is a value: what it is for, its words and flags, and what it does. This file turns such
 * a value and an argument list into an exit code, and writes the help from the same value, so that
 * help and behaviour cannot differ. It loads nothing but Node's own argument parser.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { didYouMean } from '../config/suggest.ts'
import type { Terminal } from './terminal.ts'

/** 0 done, 1 failed, 2 wrong usage or config, 3 refused. `fence status` has its own (see there). */
export type ExitCode = 0 | 1 | 2 | 3

/** A flag: a switch, or with `value` (the placeholder in the help) an option that takes text. */
export interface Flag {
  readonly title: string
  readonly value?: string
}

export type Flags = Readonly<Record<string, Flag>>

export type FlagValues<F extends Flags> = {
  readonly [K in keyof F]?: F[K] extends { readonly value: string } ? string : boolean
}

/** What the words and flags of one call are, once they fit the command. */
export interface Call<F extends Flags> {
  readonly words: readonly string[]
  readonly flags: FlagValues<F>
}

/** How a command is written; `defineCommand` makes a `Command` of it. */
export interface Definition<F extends Flags> {
  readonly name: string
  /** Placeholders of the words, e.g. `ACTION NODE`; `[X]` may be left out, `[X…]` is any number. */
  readonly words?: readonly string[]
  /** One paragraph or more, printed by `--help`. */
  readonly about: string
  readonly flags: F
  /** The exit code of a usage error; 2 where nothing else is said. */
  readonly badUsage?: (args: readonly string[]) => ExitCode
  readonly run: (call: Call<F>, terminal: Terminal) => Promise<ExitCode>
}

export interface Command {
  readonly help: string
  readonly run: (args: readonly string[], terminal: Terminal) => Promise<ExitCode>
}

/** A mistake in how the program was called; the message says what is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Make a command of its description. */
export function defineCommand<const F extends Flags>(definition: Definition<F>): Command {
  const help = helpOf(definition)
  return {
    help,
    async run(args, terminal) {
      if (asksForHelp(args)) {
        terminal.out(help)
        return 0
      }
      try {
        return await definition.run(parse(definition, args), terminal)
      } catch (error) {
        if (!(error instanceof UsageError)) throw error
        terminal.err(`picket ${definition.name}: ${error.message}`)
        terminal.err(`\`picket ${definition.name} --help\` shows its words and options.`)
        return definition.badUsage?.(args) ?? 2
      }
    },
  }
}

/** Everything after `--` is a word, also `--help`. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  const options = end === -1 ? args : args.slice(0, end)
  return options.includes('--help') || options.includes('-h')
}

/** The words and options of a call, in their order; an option that is no flag is among them. */
export function tokensOf(args: readonly string[], flags: Flags) {
  const options = Object.entries(flags).map(([flag, { value }]) => [
    flag,
    { type: value === undefined ? ('boolean' as const) : ('string' as const) },
  ])
  return parseArgs({
    args: [...args],
    options: Object.fromEntries(options),
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens
}

function parse<F extends Flags>(definition: Definition<F>, args: readonly string[]): Call<F> {
  const { name, flags } = definition
  const words: string[] = []
  const values: Record<string, string | boolean> = {}
  for (const token of tokensOf(args, flags)) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind === 'option') {
      values[token.name] = checkedValue(flags, token)
    }
  }
  checkWords(name, definition.words ?? [], words)
  // The loop above has checked each value against the kind that its flag declares.
  return { words, flags: values as FlagValues<F> }
}

interface Option {
  readonly name: string
  readonly rawName: string
  readonly value?: string | undefined
  readonly inlineValue?: boolean | undefined
}

/** Refuses every other flag beside one that makes them meaningless. */
export function standsAlone(flags: Readonly<Record<string, unknown>>, name: string): void {
  const [other] = Object.keys(flags).filter((each) => each !== name)
  if (other === undefined) return
  throw new UsageError(`--${other} means nothing beside --${name}: leave one of them out.`)
}

/** The text of a file that a flag names; a usage error that says why it cannot be read. */
export function textOf(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why: Readonly<Record<string, string>> = {
      ENOENT: 'there is no such file',
      EISDIR: 'it is a directory',
      EACCES: 'you may not read it',
    }
    throw new UsageError(`--${flag} ${path}: ${why[code ?? ''] ?? String(error)}.`)
  }
}

function checkedValue(
  flags: Flags,
  { name, rawName, value, inlineValue }: Option,
): string | boolean {
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
  if (flag === undefined || !rawName.startsWith('--')) {
    const names = Object.keys(flags).map((known) => `--${known}`)
    throw new UsageError(`there is no option ${rawName}.${didYouMean(rawName, names)}`)
  }
  if (flag.value === undefined) {
    if (value !== undefined) throw new UsageError(`--${name} is a switch and takes no value.`)
    return true
  }
  // `--config --yes` is a forgotten value far more often than a file named `--yes`.
  if (value === undefined || value === '' || (!inlineValue && value.startsWith('-'))) {
    throw new UsageError(`--${name} needs a value: --${name} ${flag.value}.`)
  }
  return value
}

function checkWords(name: string, wanted: readonly string[], got: readonly string[]): void {
  const required = wanted.filter((word) => !word.startsWith('['))
  const missing = required[got.length]
  if (missing !== undefined) throw new UsageError(`${missing} is missing.`)
  if (wanted.at(-1)?.endsWith('…]')) return
  const extra = got[wanted.length]
  if (extra !== undefined) {
    throw new UsageError(`"${extra}" is one word too many for \`picket ${name}\`.`)
  }
}

function helpOf<F extends Flags>({ name, words, about, flags }: Definition<F>): string {
  const usage = ['picket', name, ...(words ?? [])].join(' ')
  const shown = { ...flags, help: { title: 'Show this help' } } satisfies Flags
  const rows = Object.entries<Flag>(shown).map(([flag, { title, value }]): [string, string] => [
    value === undefined ? `--${flag}` : `--${flag} ${value}`,
    title,
  ])
  const width = Math.max(...rows.map(([left]) => left.length))
  const lines = rows.map(([left, title]) => `  ${left.padEnd(width)}  ${title}`)
  const text = `Usage: ${usage} [OPTIONS]\n\n${about.trim()}\n\nOptions:\n${lines.join('\n')}`
  return text.split('\n').map(folded).join('\n')
}

const columns = 100

/** A line that fits a terminal: broken at blanks, the rest below its first word. */
function folded(line: string): string {
  if (line.length <= columns) return line
  const indent = ' '.repeat(line.length - line.trimStart().length)
  const at = line.lastIndexOf(' ', columns)
  if (at <= indent.length) return line
  return `${line.slice(0, at)}\n${folded(`${indent}${line.slice(at + 1)}`)}`
}
