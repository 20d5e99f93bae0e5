/** `picket simulate` as a person calls it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { liveThrough } from '../../src/cli/lives.ts'
import { command } from '../../src/cli/simulate.ts'
import type { Terminal } from '../../src/cli/terminal.ts'

function listen(): { terminal: Terminal; out: string[]; err: string[] } {
  const out: string[] = []
  const err: string[] = []
  const terminal: Terminal = {
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    paint: (_, text) => text,
    ask: async () => undefined,
    during: (_, work) => work,
  }
  return { terminal, out, err }
}

test('some lives are lived, counted and timed', async () => {
  const { terminal, out } = listen()
  assert.equal(await command.run(['--seeds', '20', '--workers', '1'], terminal), 0)
  assert.match(
    out.join('\n'),
    /^20 lives, 0 broke a promise; \d+ events, \d+ presses, \d+ starts\./,
  )
  assert.match(out.join('\n'), /virtual hours in .* lives\/s/)
})

test('one seed shows its life', async () => {
  const { terminal, out } = listen()
  assert.equal(await command.run(['--seed', '5'], terminal), 0)
  const text = out.join('\n')
  assert.match(text, /a power on \(operator\)/)
  assert.match(text, /--- calm ---/)
  assert.match(text, /Every promise held\.$/)
  const more = listen()
  assert.equal(await command.run(['--seed', '5', '--verbose'], more.terminal), 0)
  assert.ok(more.out.join('\n').length > text.length)
})

test('a broken promise is named with the seed that shows it again, and ends with 1', async () => {
  const { terminal, out } = listen()
  const mutant = {
    name: 'sleepless',
    rule: 'P8',
    file: 'core/cluster.ts',
    find: 'Math.min(state.nextBeatMs, deviceDeadlineMs(state))',
    replace: '-1e15',
    because: 'the loop is always busy',
  }
  assert.equal(await liveThrough({ first: 4, count: 3, mutant }, false, terminal), 1)
  const text = out.join('\n')
  assert.match(text, /Broken in seed 4: P8: the loop is never busy without news/)
  assert.match(text, /^Again: picket simulate --seed 4$/m)
  assert.match(text, /P8: 3, first in seeds 4, 5, 6/)
})

test('what makes no sense is refused with a sentence', async () => {
  for (const [args, pattern] of [
    [['--biased', 'nonsense'], /there is no swarm "nonsense"/],
    [['--seeds', 'many'], /--seeds is a whole number from 1 on, not "many"/],
    [['--seed', '0'], /--seed is a whole number/],
  ] as const) {
    const { terminal, err } = listen()
    assert.equal(await command.run(args, terminal), 2)
    assert.match(err.join('\n'), pattern)
  }
})

test('a scenario can be played from a file', async () => {
  const { terminal, out } = listen()
  const file = fileURLToPath(new URL('../scenarios/dead-node-is-fenced.txt', import.meta.url))
  assert.equal(await command.run(['--scenario', file], terminal), 0)
  assert.match(out.join('\n'), /Node a fenced by b/)
})
