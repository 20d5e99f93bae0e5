/** A daemon whose core throws while one of its worker threads sleeps for half a minute. */
import koffi from 'koffi'
import { monotonic } from '../../src/daemon/clock.ts'
import { dieOnThrow } from '../../src/daemon/die.ts'
import { openLog } from '../../src/daemon/log.ts'
import { runNode } from '../../src/daemon/runner.ts'
import { toyAtFirst, toyCore } from './toy.ts'

dieOnThrow(openLog({ style: 'plain' }).say)
koffi
  .load('libc.so.6')
  .func('unsigned int sleep(unsigned int seconds)')
  .async(30, () => {})
const node = runNode({
  core: toyCore(),
  first: { state: toyAtFirst, effects: [] },
  hands: { perform() {} },
  clock: monotonic,
  journal: { append() {}, did() {} },
})
node.tell({ kind: 'corosyncLost', because: 'on purpose' })
