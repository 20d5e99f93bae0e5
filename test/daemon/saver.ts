/** Saves ledgers until it is killed, and prints each step that has become durable. */
import { unknownNode } from '../../src/core/ledger.ts'
import { openStore } from '../../src/daemon/store.ts'

const [stateDir = '', first = '0'] = process.argv.slice(2)
const store = openStore(stateDir, 'prod', (_level, text) => process.stderr.write(text))
for (let step = Number(first); ; step++) {
  const nodes = { a: { ...unknownNode, because: 'x'.repeat(step % 5000) } }
  const saved = await store.save({
    epoch: { seq: 1, rep: 1, step },
    coordinator: 'a',
    shots: [],
    intents: [],
    nodes,
  })
  if (saved.ok) process.stdout.write(`${step}\n`)
}
