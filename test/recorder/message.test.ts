/** R2: requests and responses, in our form and in that of others, and what is not believed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deadlineOf, readRequest, readResponse, textOf } from '../../src/recorder/message.ts'
import { requestOf } from './site.ts'

const id = '550e8400-e29b-41d4-a716-446655440000'

/** As the recorder of Near Node Flash writes it. */
const theirs = `{
  "request_id": "${id}",
  "timestamp": "2025-01-10T14:30:00.123456+00:00",
  "action": "reboot",
  "target_node": "compute-node-3",
  "gfs2_filesystems": ["nnf-storage-1"],
  "recorder_node": "rabbit-node-1"
}`

test('a request of others, without our fields, is one', () => {
  const read = readRequest(theirs, id)
  assert.ok(read.ok)
  assert.equal(read.value.deadline, undefined)
  const writtenMs = Date.parse('2025-01-10T14:30:00.123Z')
  assert.equal(deadlineOf(read.value, writtenMs + 1_000), writtenMs + 60_000)
})

test('fields that nobody knows are left alone', () => {
  const more = JSON.stringify({ ...requestOf(), colour: 'green', extra: { deep: [1] } })
  assert.ok(readRequest(more).ok)
})

test('what would fence the wrong node is no request', () => {
  const wrong: readonly [object, RegExp][] = [
    [{ request_id: 'abc' }, /no UUID/],
    [{ request_id: '../../etc/passwd' }, /no UUID/],
    [{ action: 'OFF' }, /its action is none of/],
    [{ action: undefined }, /its action/],
    [{ target_node: '../node' }, /no name of a node/],
    [{ target_node: '..' }, /no name of a node/],
    [{ target_node: 'a b' }, /no name of a node/],
    [{ target_node: '' }, /no name of a node/],
    [{ timestamp: 'yesterday' }, /no time/],
    [{ deadline: '12' }, /its deadline/],
    [{ priority: 1.5 }, /its priority/],
    [{ priority: 1_000 }, /its priority/],
    [{ idempotency_key: '' }, /its idempotency_key/],
    [{ idempotency_key: 'a\nb' }, /its idempotency_key/],
    [{ gfs2_filesystems: 'nnf' }, /its gfs2_filesystems/],
    [{ gfs2_filesystems: [1] }, /its gfs2_filesystems/],
  ]
  for (const [change, because] of wrong) {
    const read = readRequest(JSON.stringify({ ...requestOf(), ...change }))
    assert.ok(!read.ok, JSON.stringify(change))
    assert.match(read.because, because)
  }
  const other = readRequest(theirs, '550e8400-e29b-41d4-a716-446655440001')
  assert.ok(!other.ok && /not that of its file/.test(other.because))
  for (const text of ['', '{', '[]', '"x"', 'null', theirs.slice(0, -20)]) {
    assert.equal(readRequest(text).ok, false, text)
  }
})

test('a deadline that lies far ahead, or a clock that does, is refused', () => {
  const now = Date.now()
  const far = requestOf({ deadline: new Date(now + 7_200_000).toISOString() })
  assert.match(String(deadlineOf(far, now)), /minutes ahead/)
  const ahead = requestOf({ timestamp: new Date(now + 600_000).toISOString() })
  assert.match(String(deadlineOf(ahead, now)), /set the clocks/)
})

test('a response has to answer this request, node and action', () => {
  const request = requestOf({ request_id: id, action: 'reboot', target_node: 'compute-node-3' })
  const good = {
    request_id: id,
    success: true,
    action_performed: 'reboot',
    target_node: 'compute-node-3',
    message: 'done',
    timestamp: '2025-01-10T14:30:15-06:00',
  }
  const read = readResponse(JSON.stringify({ ...good, more: 1 }), request)
  assert.ok(read.ok && read.value.success && read.value.message === 'done')
  const wrong: readonly [object, RegExp][] = [
    [{ request_id: '550e8400-e29b-41d4-a716-446655440001' }, /another request/],
    [{ target_node: 'compute-node-4' }, /about "compute-node-4", not about compute-node-3/],
    [{ action_performed: 'off' }, /tells of "off", and reboot was asked for/],
    [{ action_performed: undefined }, /nothing that is named/],
    [{ success: 'true' }, /neither true nor false/],
    [{ success: 1 }, /neither true nor false/],
  ]
  for (const [change, because] of wrong) {
    const found = readResponse(JSON.stringify({ ...good, ...change }), request)
    assert.ok(!found.ok, JSON.stringify(change))
    assert.match(found.because, because)
  }
  const partial = readResponse(JSON.stringify(good).slice(0, 40), request)
  assert.ok(!partial.ok && partial.partial)
})

test('what we write, we read', () => {
  const request = requestOf({
    priority: -3,
    idempotency_key: 'k',
    deadline: '2030-01-01T00:00:00Z',
  })
  const read = readRequest(textOf(request), request.request_id)
  assert.deepEqual(read, { ok: true, value: request })
})
