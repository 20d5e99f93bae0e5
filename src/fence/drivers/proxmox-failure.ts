/**
 * What a refusal of Proxmox VE means, by its status and its words: those of an HTTP answer, and
 * those with which a task ends. The words are those of Proxmox VE 7 to 9.
 */
import { FenceError, type FenceFailure, printable } from '../errors.ts'
import type { HttpAnswer } from '../http.ts'
import type { Kind } from '../wire.ts'

interface Rule {
  readonly words: RegExp
  readonly failure: FenceFailure
  /** Where the table's own advice is not good enough. */
  readonly mend?: string
}

/** Whatever the status is. All of these are said before anything has been done. */
const rules: readonly Rule[] = [
  {
    words: /\b(?:VM|CT) is locked \([\w-]+\)/,
    failure: 'locked',
    mend:
      'end what holds the lock, or unlock the guest (qm unlock, pct unlock): no token may stop ' +
      'it; until then the next level has to do it',
  },
  { words: /can't lock file|can't acquire lock/, failure: 'locked' },
  {
    words: /no quorum/,
    failure: 'refused',
    mend: 'the Proxmox cluster has no quorum: bring its nodes back; use the next level until then',
  },
  {
    words: /Configuration file .* does not exist/,
    failure: 'noSuchPlug',
    mend: 'it has just been migrated, or removed: it is looked up again; else correct vmid',
  },
  { words: /\b(?:VM|CT) \d+ (?:not|already) running/, failure: 'refused' },
  { words: /no such user|user .* is disabled|account expired/, failure: 'user' },
  {
    words: /no such token|token .* expired/,
    failure: 'user',
    mend: 'correct token_id, or create the token anew in Proxmox VE (Datacenter, API Tokens)',
  },
  {
    words: /invalid token value/,
    failure: 'auth',
    mend: 'correct token_secret in the secrets file',
  },
  {
    words: /Permission check failed/,
    failure: 'privilege',
    mend:
      'give the user VM.PowerMgmt and VM.Audit on the guest; a token with privilege separation ' +
      'needs permissions of its own',
  },
]

/** The refusal that these words stand for, if they are known. */
export function refusalIn(text: string): FenceError | undefined {
  const rule = rules.find(({ words }) => words.test(text))
  return rule && new FenceError(rule.failure, printable(text), rule.mend)
}

const OTHER_ADDRESS = 'is this the address of a Proxmox VE API?'

/** What an answer other than 200 means. */
export function refusalOf(answer: HttpAnswer, kind: Kind): FenceError {
  const { status, headers } = answer
  const words = wordsOf(answer)
  const detail = `HTTP ${status} ${printable(words)}`.trim()
  const known = refusalIn(words)
  if (known !== undefined) return known
  switch (status) {
    case 401:
      return new FenceError('auth', detail)
    case 403:
      return new FenceError('privilege', detail)
    // Proxmox VE says 501 where it knows no such call; of a guest that is gone it says 500.
    case 404:
      return new FenceError(kind === 'command' ? 'refused' : 'garbled', detail, OTHER_ADDRESS)
    case 429:
      return new FenceError('busy', detail)
    case 501:
      return new FenceError('refused', detail, 'check that api_url is the API of Proxmox VE')
    // The API host has no connection to the node of the guest; the others may have left half-way.
    case 595:
      return new FenceError('unreachable', `the API host cannot reach the node: ${detail}`)
    case 596:
    case 597:
    case 599:
      return new FenceError('cut', `between the API host and the node: ${detail}`)
  }
  if (status >= 300 && status < 400) {
    const to = printable(headers.location ?? 'nowhere', 80)
    return new FenceError('garbled', `HTTP ${status}, a redirect to ${to}`, 'correct api_url')
  }
  return new FenceError(status >= 400 && status < 500 ? 'refused' : 'garbled', detail)
}

/** What is said to be wrong: in the body, or, by older versions, beside the status alone. */
export function wordsOf({ body, reason = '' }: HttpAnswer): string {
  const { message = '', errors = {} } = fieldsOf(body)
  const parameters = Object.entries(errors ?? {}).map(([name, why]) => `${name}: ${why}`)
  const words = [String(message).trim() || reason.trim(), ...parameters].filter(Boolean)
  return words.join(' ')
}

function fieldsOf(body: string): { readonly message?: unknown; readonly errors?: object } {
  try {
    return Object(JSON.parse(body))
  } catch {
    return {}
  }
}
