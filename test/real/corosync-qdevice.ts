/**
 * A quorum device of our own, to see what Corosync says while the device thinks: it votes for every
 * ring, but takes its time for a new one. `votequorum_qdevice_poll` is all that the real one does.
 */
import { createInterface } from 'node:readline'
import type { RingId } from '../../src/core/model.ts'
import { connect } from '../../src/corosync/connection.ts'
import { loadLibrary, loadNative, waiting } from '../../src/corosync/native.ts'
import { createPump } from '../../src/corosync/pump.ts'
import { openQuorum } from '../../src/corosync/quorum.ts'

const [thinkMs, vote] = process.argv.slice(2).map(Number) as [number, number]
const native = await loadNative()
const patience = { endsAtMs: performance.now() + 10_000 }
const quorum = await openQuorum(native, patience, () => {})

const file = 'libvotequorum.so.8'
const service = {
  name: 'votequorum',
  file,
  prefix: 'votequorum',
  initialize: 'int votequorum_initialize(_Out_ uint64_t *handle, const void *callbacks)',
  given: [null],
  callbacks: [],
}
const { handle } = await connect(native, patience, service, async ({ asking }) => {
  const register = asking('int votequorum_qdevice_register(uint64_t handle, const char *name)')
  await register('box')
})
const poll = waiting(
  loadLibrary(native, file),
  `int votequorum_qdevice_poll(uint64_t handle, const char *name, uint32_t vote, ring_id ring)`,
)

let ring: RingId = { rep: 0, seq: 0 }
let sinceMs = -Infinity
let first = true
const pump = createPump(native, {
  connections: [quorum],
  full: () => false,
  lose: () => process.exit(1),
  onTurn() {
    const word = quorum.word()
    if (word === undefined || (word.ring.seq === ring.seq && word.ring.rep === ring.rep)) return
    ring = word.ring
    sinceMs = performance.now()
    process.stdout.write(`${JSON.stringify(ring)}\n`)
  },
})
pump.start()
setInterval(() => {
  if (!first && performance.now() - sinceMs < thinkMs) return
  first = false
  poll(handle, 'box', vote, { nodeid: ring.rep, seq: ring.seq }).catch(() => process.exit(1))
}, 200)
createInterface({ input: process.stdin }).on('close', () => process.exit(0))
