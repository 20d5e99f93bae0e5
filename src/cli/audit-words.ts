/**
 * A line of the audit log as a person reads it: time, a mark, a sentence. The log may have been
 * changed by anybody, so that nothing in it is taken for granted.
 */
import type { Fact, Line } from '../audit/chain.ts'
import { isIntentAction, orderText } from '../core/intents.ts'
import { plain } from './marks.ts'
import type { Colour, Terminal } from './terminal.ts'

const marks = { good: '✓', bad: '✗', wait: '!', dim: '·' } as const satisfies Partial<
  Record<Colour, string>
>

interface Said {
  readonly mark: keyof typeof marks
  readonly text: string
}

/** One row of `picket audit show`; a verdict is told by the action of its round. */
export function rowOf(line: Line, paint: Terminal['paint'], action?: unknown): string {
  const { mark, text } = said(line, action)
  const time = plain(line.at).replace('T', ' ')
  return `${paint('dim', time)}  ${paint(mark, marks[mark])} ${text}`
}

/** Is this line about that node? What names no node is about the one that wrote it. */
export function concerns({ node, facts }: Line, wanted: string): boolean {
  const { target, by, owner } = facts
  return target === undefined ? node === wanted : [target, by, owner].includes(wanted)
}

/** The nodes that this line knows of. */
export function namesIn({ node, facts: { target, by, owner } }: Line): readonly string[] {
  return [node, target, by, owner].filter((name) => typeof name === 'string')
}

type Words = (name: string) => string

function said(line: Line, action: unknown): Said {
  const word: Words = (name) => wordOf(line.facts[name])
  const is = (name: string) => line.facts[name] === true
  return (
    (line.kind === 'verdict' ? verdictSaid(word, is, action) : undefined) ??
    decisionSaid(line.kind, word) ??
    attemptSaid(line.kind, word, is) ??
    orderSaid(line.kind, word) ??
    ownSaid(line, word)
  )
}

function wordOf(fact: Fact | undefined): string {
  if (fact === undefined || fact === '') return '?'
  return plain(typeof fact === 'object' ? JSON.stringify(fact) : fact)
}

/** The same for off, on and reboot, in words that fit each of them. */
function toDo(word: Words): string {
  const [target, action] = [word('target'), word('action')]
  if (action === 'unfence') return `to let ${target} serve again`
  if (action === 'detach') return 'to detach'
  if (action === 'recover') return `to write off ${target}`
  return action === 'reboot' ? `to reboot ${target}` : `to switch ${target} ${action}`
}

function verdictSaid(word: Words, is: (name: string) => boolean, action: unknown): Said {
  const target = word('target')
  const what = action === 'on' ? `switching ${target} on` : `the fencing of ${target}`
  const proof = is('proven') ? 'is proven' : 'is not proven'
  const took = `${word('text')}, level ${word('level')}, ${word('tookMs')} ms`
  const late = is('late') ? '; a command may still be carried out' : ''
  const text = `${what} by ${word('by')} ${proof}: ${took} (${word('id')})${late}`
  return { mark: is('proven') ? 'good' : 'bad', text }
}

function decisionSaid(kind: string, word: Words): Said | undefined {
  const target = word('target')
  const why = word('because')
  switch (kind) {
    case 'standing': {
      const standing = word('standing')
      const calm = standing === 'member' || standing === 'left'
      const text = `${target} is ${standing} now, before: ${word('was')}: ${why}`
      return { mark: calm ? 'dim' : 'bad', text }
    }
    case 'condemn': {
      const text = `${target} is condemned by ${word('by')}: ${why}`
      const asked = `${word('action')}, asked for by ${word('requester')}, ${word('id')}`
      return { mark: 'bad', text: `${text} (${asked})` }
    }
    case 'fence': {
      const held = word('heldBack')
      const [by, owner] = [word('by'), word('owner')]
      const text = `${by} ${by === owner ? 'sets out' : `orders ${owner}`} ${toDo(word)}`
      const asked = `round ${word('round')}, asked for by ${word('requester')}, ${word('id')}`
      const back = held === '?' ? '' : `; only looks, because ${held}`
      return { mark: 'wait', text: `${text}: ${why} (${asked})${back}` }
    }
    case 'settle':
      return { mark: 'dim', text: `no command to ${target} can be carried out any more` }
    case 'defer':
      return { mark: 'wait', text: `${target} is not fenced yet: ${why} (${word('by')})` }
    case 'confirm':
      return { mark: 'bad', text: `${target} is ${why}, by hand, not by a device (${word('id')})` }
    case 'unbar':
      return { mark: 'good', text: `${target} may serve again (${word('by')}, ${word('id')})` }
    case 'unfence': {
      const text = `${target}, which was fenced, may serve again (${word('by')}, ${word('id')})`
      return { mark: 'good', text }
    }
    case 'want':
      return {
        mark: 'wait',
        text: `${wantSaid(word)}, as ${word('requester')} wants${because(word('reason'))}`,
      }
    case 'left':
      return { mark: 'dim', text: `${target} has left with everything stopped` }
    case 'detach':
      return { mark: 'dim', text: `picketd on ${target} makes way for another one; all runs on` }
    case 'grant':
      return { mark: 'good', text: `${word('by')} gives ${word('resource')} to ${target}` }
    case 'release':
      return {
        mark: 'wait',
        text: `${word('by')} takes ${word('resource')} from ${target}: ${why}`,
      }
    case 'resign':
      return { mark: 'wait', text: `${word('by')} does not coordinate any more: ${why}` }
    default:
      return undefined
  }
}

function attemptSaid(kind: string, word: Words, is: (name: string) => boolean): Said | undefined {
  const [target, device, detail] = [word('target'), word('device'), word('detail')]
  const more = detail === '?' ? '' : `: ${detail}`
  switch (kind) {
    case 'press':
      return { mark: 'wait', text: `presses ${word('action')} of ${target} on ${device}` }
    case 'pressed': {
      const outcome = word('outcome')
      // Also a device that has not answered before anything was sent has `refused`.
      const done = outcome === 'refused' ? 'nothing was done' : outcome
      const text = `${device} to the command for ${target}: ${done}${more}`
      return { mark: outcome === 'accepted' ? 'dim' : 'bad', text }
    }
    case 'read': {
      const text = `${device} reads ${target}: ${word('power')} (says ${word('raw')})${more}`
      return { mark: word('power') === 'unknown' ? 'bad' : 'dim', text }
    }
    case 'identified': {
      const found = is('ok') ? 'is the device of' : 'cannot be told to be the device of'
      return { mark: is('ok') ? 'dim' : 'bad', text: `${device} ${found} ${target}${more}` }
    }
    case 'heard': {
      const found = is('silent') ? 'is silent' : `is not silent: ${word('answered')}`
      return { mark: is('silent') ? 'dim' : 'bad', text: `${target} ${found}` }
    }
    default:
      return undefined
  }
}

function orderSaid(kind: string, word: Words): Said | undefined {
  const power = !isIntentAction(word('action'))
  const deed = power ? toDo(word) : `that ${wantSaid(word)}`
  const what = `${deed}: ${word('reason')} (${word('id')})`
  switch (kind) {
    case 'order':
      return { mark: 'wait', text: `${word('requester')} asks here ${what}` }
    case 'request':
      return { mark: 'wait', text: `${word('requester')} asks at ${word('by')} ${what}` }
    case 'interrupted': {
      const text = `an earlier order ${toDo(word)} was interrupted (${word('id')})`
      return { mark: 'wait', text }
    }
    case 'refuse':
      return { mark: 'bad', text: `the order ${word('id')} is refused: ${word('because')}` }
    default:
      return undefined
  }
}

/** Why, where somebody has said so. */
const because = (reason: string): string => (reason === '?' ? '' : `: ${reason}`)

/** What an operator wants of a node or a resource. */
function wantSaid(word: Words): string {
  const action = word('action')
  const order = { resource: word('resource'), node: word('target') }
  return isIntentAction(action) ? orderText({ action, ...order }) : action
}

/** What picketd tells of itself and of this log. */
function ownSaid({ kind, node, facts }: Line, word: Words): Said {
  switch (kind) {
    case 'start': {
      const life = `configuration ${word('config').slice(0, 12)}, life ${word('incarnation')}`
      return { mark: 'dim', text: `picketd ${word('version')} begins on ${plain(node)} (${life})` }
    }
    case 'stop':
      return { mark: 'dim', text: `picketd ends on ${plain(node)}: ${word('because')}` }
    case 'torn':
      return { mark: 'wait', text: `after a crash ${word('found')}` }
    case 'damage':
      return { mark: 'bad', text: `this log was not as it had been left: ${word('found')}` }
    case 'dropped':
      return { mark: 'dim', text: `lines up to ${word('through')} are dropped: the log is long` }
    case 'contradicted': {
      const [target, by] = [word('target'), word('by')]
      const text = `${by} has seen line ${word('line')} of the audit log of ${target}`
      return {
        mark: 'bad',
        text: `${text}, which ends with line ${word('ends')}: ${word('found')}`,
      }
    }
    case 'accepted': {
      const text = `${word('requester')} knows why lines of this log are gone: ${word('reason')}`
      return { mark: 'wait', text }
    }
    case 'gap':
      return { mark: 'bad', text: `${word('lines')} lines are missing: the disk took none` }
    default:
      return { mark: 'dim', text: `${plain(kind)} ${wordOf(facts)}` }
  }
}
