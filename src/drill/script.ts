/**
 * A script: the language of the scenarios, spoken to the cluster of a configuration. All nodes are
 * up and every service runs when its first command is given. It is read as a whole before anything
 * is done, so that a mistake in its last line is told at once, with its line and column.
 */
import { didYouMean } from '../config/suggest.ts'
import { intentActions } from '../core/intents.ts'
import { type Deed, deeds } from '../sim/scenario.ts'
import type { World } from '../sim/world.ts'
import { noteCut } from './clients.ts'
import type { Case, Failure } from './failures.ts'
import type { Plant } from './plant.ts'
import { resourceAt, servicesOf } from './services.ts'

export interface Command {
  readonly verb: string
  readonly words: readonly string[]
}

export interface Mistake {
  /** Both counted from 1. */
  readonly line: number
  readonly column: number
  readonly message: string
}

/** What a word of a command may be. */
type Word =
  | 'node'
  | 'resource'
  | 'device'
  | 'check'
  | 'seconds'
  | 'number'
  | 'field'
  | readonly [string, ...string[]]

interface Form {
  readonly words: readonly Word[]
  /** How many of them have to be there; all where nothing is said. */
  readonly least?: number
  /** The last one may stand any number of times. */
  readonly more?: true
}

const nodes: Form = { words: ['node'], more: true }
const parts = ['corosync', 'daemon', 'scripts'] as const
const manners = [
  ...['ok', 'ignore', 'hang', 'slow', 'late', 'lie', 'unknown', 'refuse', 'vouch'],
  ...['stuck', 'markless', 'deceive'],
] as [string, ...string[]]
const orders = ['off', 'on', 'reboot', 'confirm'] as const
const habit: Form = { words: ['resource', 'node', 'number'], least: 2 }

/** How each command is written. Of swapped cables only devices that name their node can tell. */
export const forms: Readonly<Record<string, Form>> = {
  run: { words: ['seconds'] },
  skip: { words: ['seconds'] },
  'power-on': nodes,
  'power-loss': nodes,
  'wall-loss': nodes,
  'current-returns': nodes,
  crash: nodes,
  panic: nodes,
  dump: { words: ['node', 'seconds'] },
  'forge-dump': { words: ['node', 'seconds'] },
  freeze: { words: ['node', parts], least: 1, more: true },
  thaw: { words: ['node', [...parts, 'news-first']], least: 1, more: true },
  cut: nodes,
  'cut-one-way': { words: ['node', 'node'] },
  heal: { words: [] },
  bmc: { words: ['device', manners, 'seconds'], least: 2 },
  'cut-device': { words: ['device', 'node'] },
  'heal-device': { words: ['device'] },
  'kill-daemon': nodes,
  'kill-corosync': nodes,
  leave: nodes,
  'come-back': nodes,
  detach: nodes,
  'stay-away': nodes,
  upgrade: nodes,
  'give-up': nodes,
  reinstall: nodes,
  'bring-back': nodes,
  order: { words: [orders, 'node', ['via'], 'node'] },
  want: { words: [intentActions, 'field'], more: true },
  'resource-dies': { words: ['resource', 'node', ['told']], least: 2 },
  'check-fails': { words: ['check', 'node'], more: true },
  'check-slow': { words: ['check', 'node', 'seconds'] },
  'check-works': { words: ['check', 'node'], more: true },
  stall: { words: ['number'], least: 0 },
  'start-by-hand': { words: ['resource', 'node'] },
  'start-hangs': habit,
  'start-fails': habit,
  'stop-hangs': habit,
  'stop-fails': habit,
  'monitor-fails': habit,
  'migrate_to-fails': habit,
  'migrate_to-hangs': habit,
  'migrate_to-half': habit,
  'migrate_to-late': habit,
  'migrate_from-fails': habit,
  'migrate_from-hangs': habit,
  'disk-full': nodes,
  'disk-hangs': nodes,
  'disk-ok': nodes,
  'disk-corrupt': nodes,
  verdict: { words: ['node', ['on', 'off']] },
  'config-differs': { words: ['node', 'seconds'], least: 1 },
}

/** The commands of a script, or all that is wrong with it. */
export function readScript(
  text: string,
  plant: Plant,
): { readonly commands: readonly Command[]; readonly mistakes: readonly Mistake[] } {
  const commands: Command[] = []
  const mistakes: Mistake[] = []
  for (const [index, line] of text.split('\n').entries()) {
    // What a cluster did is told with its instant before it, or as what was broken.
    if (/^(#|BROKEN|\s|$)/.test(line)) continue
    const fail = (column: number, message: string) =>
      void mistakes.push({ line: index + 1, column: column + 1, message })
    const tokens = [...line.matchAll(/[^\s>]+/g)].map(({ 0: word, index: at }) => ({ word, at }))
    const [first, ...rest] = tokens
    if (!line.startsWith('>') || first === undefined) {
      fail(0, 'a command begins with >, a comment with #')
      continue
    }
    const before = mistakes.length
    checkCommand(plant, first, rest, fail)
    if (mistakes.length > before) continue
    commands.push({ verb: first.word, words: rest.map(({ word }) => word) })
  }
  if (commands.length === 0 && mistakes.length === 0) {
    mistakes.push({ line: 1, column: 1, message: 'there is no command in it, such as > cut NODE' })
  }
  return { commands, mistakes }
}

interface Token {
  readonly word: string
  readonly at: number
}

function checkCommand(
  plant: Plant,
  { word: verb, at }: Token,
  rest: readonly Token[],
  fail: (column: number, message: string) => void,
): void {
  const form = Object.hasOwn(forms, verb) ? forms[verb] : undefined
  if (form === undefined) {
    const other = verb === 'site' ? ' The configuration is the site.' : ''
    const hint = didYouMean(verb, Object.keys(forms)) || ` Known: ${Object.keys(forms).join(', ')}.`
    return fail(at, `there is no command ${verb}.${other || hint}`)
  }
  const { words, least = words.length, more } = form
  const end = (rest.at(-1)?.at ?? at) + (rest.at(-1)?.word ?? verb).length
  const missing = words[rest.length]
  if (missing !== undefined && rest.length < least) {
    return fail(end, `${verb} lacks ${nameOf(missing)}: ${usage(verb, form)}`)
  }
  for (const [index, token] of rest.entries()) {
    const kind = words[index] ?? (more ? words.at(-1) : undefined)
    if (kind === undefined) return fail(token.at, `one word too many: ${usage(verb, form)}`)
    const wrong = whyNot(plant, kind, token.word)
    if (wrong !== undefined) fail(token.at, wrong)
  }
  const isWhole = rest.every(({ word }, index) => {
    const kind = words[index] ?? words.at(-1)
    return kind === undefined || whyNot(plant, kind, word) === undefined
  })
  if (verb === 'want' && isWhole) {
    const lacks = whatWantLacks(rest.map(({ word }) => word))
    if (lacks.length > 0) return fail(end, `want ${rest[0]?.word} lacks ${lacks.join(', ')}`)
  }
  const [resource, node] = rest
  if (words[0] !== 'resource' || resource === undefined || node === undefined) return
  const { nodes = [], isClone } =
    servicesOf(plant.config.resources).find(({ id }) => id === resource.word) ?? {}
  if (isClone !== true || nodes.includes(node.word)) return
  fail(node.at, `${resource.word} has no instance on ${node.word}. It has: ${nodes.join(', ')}.`)
}

function nameOf(word: Word): string {
  return typeof word === 'string' ? word.toUpperCase() : word.join('|')
}

/** `freeze NODE [corosync|daemon|scripts]…` */
function usage(verb: string, { words, least = words.length, more }: Form): string {
  const shown = words.map((word, at) => {
    const name = `${nameOf(word)}${more && at === words.length - 1 ? '…' : ''}`
    return at < least ? name : `[${name}]`
  })
  return [verb, ...shown].join(' ')
}

function whyNot(plant: Plant, kind: Word, word: string): string | undefined {
  const { config } = plant
  const among = (what: string, known: readonly string[]) => {
    if (known.includes(word)) return undefined
    const hint = didYouMean(word, known) || ` Known: ${known.join(', ')}.`
    return `there is no ${what} ${word}.${hint}`
  }
  const ids = config.nodes.map(({ id }) => id)
  const resources = servicesOf(config.resources).map(({ id }) => id)
  if (typeof kind !== 'string') return among('such word as', kind)
  if (kind === 'node') return among('node', ids)
  if (kind === 'resource') return among('resource', resources)
  if (kind === 'check')
    return among(
      'check',
      config.checks.map((each) => each.id),
    )
  if (kind === 'device') return among('device', deviceNames(plant))
  if (kind === 'field') return whyNoField(word, ids, resources)
  const most = kind === 'seconds' ? 86_400 : 1_000_000
  const fits = /^\d+(\.\d+)?$/.test(word) && Number(word) <= most
  return fits ? undefined : `${word} is no ${kind === 'seconds' ? 'span in seconds' : 'number'}`
}

/** Every device, and each level as a whole. */
function deviceNames({ config }: Plant): readonly string[] {
  return config.nodes.flatMap(({ id, levels }) =>
    levels.flatMap(({ devices }, at) => [`${id}/${at + 1}`, ...devices]),
  )
}

/** The fields without which such an order is about nothing, or given nowhere. */
function whatWantLacks([action = '', ...fields]: readonly string[]): readonly string[] {
  const of = {
    resource: ['disable', 'enable', 'move', 'unmove', 'ban', 'unban', 'cleanup'],
    node: ['standby', 'unstandby', 'move', 'ban'],
    via: intentActions as readonly string[],
  }
  return Object.entries(of).flatMap(([key, actions]) => {
    const given = fields.some((field) => field.startsWith(`${key}=`))
    return actions.includes(action) && !given ? [`${key}=…`] : []
  })
}

/** `node=a`, `resource=vip`, `via=b`. */
function whyNoField(
  word: string,
  ids: readonly string[],
  resources: readonly string[],
): string | undefined {
  const [key = '', value = ''] = word.split('=')
  if (!['node', 'via', 'resource'].includes(key)) return 'write node=…, resource=… and via=…'
  const known = key === 'resource' ? resources : ids
  if (known.includes(value)) return undefined
  const what = key === 'resource' ? 'resource' : 'node'
  return `there is no ${what} ${value || '""'}.${didYouMean(value, known)}`
}

/** A script as a failure of its own: each command comes after the spans of those before it. */
export function failureOf(commands: readonly Command[]): Failure {
  const lastsMs = commands.reduce((sum, each) => sum + spanMs(each), 0)
  return {
    about: 'a script',
    lastsMs,
    cases: () => [],
    strike: (world: World, _: Case) => {
      let atMs = 0
      for (const command of commands) {
        const { verb, words } = command
        const deed: Deed | undefined = deeds[verb]
        if (deed !== undefined && spanMs(command) === 0) {
          world.after(atMs, () => {
            world.say(`> ${[verb, ...words].join(' ')}`)
            if (verb === 'cut' || verb === 'heal') noteCut(world, words)
            deed(world, spoken(world, command))
          })
        }
        atMs += spanMs(command)
      }
    },
  }
}

/** The words as the simulator knows them: of a clone the instance on the named node. */
function spoken({ site }: World, { verb, words }: Command): readonly string[] {
  const [service, node, ...more] = words
  if (forms[verb]?.words[0] !== 'resource' || service === undefined || node === undefined) {
    return words
  }
  return [resourceAt(site.config.resources, service, node)?.id ?? service, node, ...more]
}

function spanMs({ verb, words: [seconds] }: Command): number {
  return verb === 'run' || verb === 'skip' ? 1_000 * Number(seconds) : 0
}
