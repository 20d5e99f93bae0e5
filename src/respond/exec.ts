/**
 * Requests that a program of the user's carries out. It is told by its environment and its standard
 * input, and tells by its exit code: 0 is done. Of a look 0 is on and 2 is off.
 */
import { printable } from '../foreign/printable.ts'
import type { Request } from '../recorder/message.ts'
import { runProgram } from './hooks.ts'
import type { Attempt, Outcome, Work } from './work.ts'

export function execWork(program: string): Work {
  return {
    nodes: () => [],
    async carryOut(request, { resumed, signal }: Attempt): Promise<Outcome> {
      // Nobody knows how far it came, and a program can not be asked.
      if (resumed) return interrupted
      try {
        const { code, stdout, stderr } = await runProgram(program, request, { request }, signal)
        const said = lastLine(stdout) || lastLine(stderr)
        return outcomeOf(request, code, said)
      } catch (error) {
        const because = printable((error as Error).message)
        return { success: false, message: signal.aborted ? `timed out: ${because}` : because }
      }
    },
  }
}

const interrupted: Outcome = {
  success: false,
  message: 'It was begun by a responder that has ended, and is not begun twice: ask once more',
  final: true,
}

function outcomeOf({ action }: Request, code: number | null, said: string): Outcome {
  if (action === 'status') {
    const power = code === 0 ? 'on' : code === 2 ? 'off' : 'unknown'
    return { success: power !== 'unknown', message: said || `it is ${power}`, power }
  }
  if (code === 0) return { success: true, message: said || 'the program says that it is done' }
  const ended = code === null ? 'was ended by a signal' : `ended with ${code}`
  return { success: false, message: said === '' ? `the program ${ended}` : said }
}

const lastLine = (text: string): string => printable(text.trimEnd().split('\n').at(-1) ?? '', 500)
