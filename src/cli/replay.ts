/** `picket simulate --replay JOURNAL`: steps the core through what a daemon saw, and compares. */

import type { Begin } from '../core/cluster.ts'
import { begin, type State, step } from '../core/cluster.ts'
import { replay } from '../daemon/replay.ts'
import type { Terminal } from './terminal.ts'

/** Prints what the node said, by its own clock; 1 where the core would answer otherwise today. */
export async function replayJournal(path: string, terminal: Terminal): Promise<0 | 1> {
  const core = {
    begin: (given: unknown) => begin(given as Begin),
    step: (state: State, event: Parameters<typeof step>[1]) => step(state, event),
  }
  const found = await replay(path, core, (event, effects) => {
    for (const effect of effects) {
      if (effect.do === 'say') terminal.out(`${String(event.atMs).padStart(10)}  ${effect.text}`)
    }
  })
  const { lives, events, torn, difference } = found
  const tornLines = torn === 0 ? '' : `, ${torn} torn lines left out`
  terminal.out(`${events} events in ${lives} lives of the daemon${tornLines}.`)
  if (events === 0) {
    terminal.err(`picket simulate: ${path} holds no event of a daemon; nothing was compared`)
    return 1
  }
  if (difference === undefined) {
    terminal.out('✓ The core answers today what it answered then.')
    return 0
  }
  const { line, event, recorded, replayed } = difference
  terminal.out(`✗ Line ${line} (${event?.kind ?? 'begin'}) is answered otherwise today.`)
  terminal.out(`  then: ${recorded.join('; ') || 'nothing'}`)
  terminal.out(`  now:  ${replayed.join('; ') || 'nothing'}`)
  return 1
}
