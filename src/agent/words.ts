/**
 * Why an agent has failed, in one line. Pacemaker shows it to people and looks for a few words in
 * it; operators search for those that fence-agents have always used.
 */
import type { FenceFailure } from '../fence/errors.ts'

const login = 'Unable to connect/login to fencing device'
const status = 'Failed: Unable to obtain correct plug status or plug is not available'

/** What a failure is called; the others are told by their own sentence alone. */
const heads: Readonly<Partial<Record<FenceFailure, string>>> = {
  auth: login,
  user: login,
  certificate: login,
  cipher: login,
  unreachable: login,
  timeout: 'Connection timed out',
  dropped: 'Connection timed out',
  cut: 'Connection lost',
  privilege: 'Failed: The user does not have the correct privileges to do the requested action.',
  noSuchPlug: status,
  garbled: status,
}

/** One line: what has failed, and the sentence that says why. */
export function failureLine(failure: FenceFailure | undefined, because: string): string {
  const head = failure === undefined ? undefined : heads[failure]
  return oneLine(`${head ?? 'Failed'}${head?.endsWith('.') ? '' : ':'} ${because}`)
}

/** The command was accepted, or may have been, and the power is not what it should be. */
export function waitedLine(action: 'off' | 'on', because: string): string {
  return oneLine(`Failed: Timed out waiting to power ${action.toUpperCase()}: ${because}`)
}

export function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, '; ').trim()
}

/** A sentence of the engine for whoever has no files to mend. */
export function ofParameters(text: string): string {
  return text.replaceAll(/ in the (secrets file|config)\b/g, ' in the parameters')
}
