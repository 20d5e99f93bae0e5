/**
 * How the daemon dies of a defect: with one line, and at once (S20). A process that carries on
 * after a throw acts on a state that nobody has thought of; the others fence a node whose daemon is
 * gone.
 */
import { exitNow } from './libc.ts'
import type { Say } from './log.ts'

/** `EX_SOFTWARE` of sysexits(3): systemd starts us again, and the crash is counted. */
const exitCode = 70

/** From now on whatever is thrown and not caught ends the process. */
export function dieOnThrow(say: Say): void {
  const die = (thrown: unknown) => {
    const what = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
    say('alarm', `picketd dies of a defect, and its node will be fenced: ${what}`)
    exitNow(exitCode)
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)
}
