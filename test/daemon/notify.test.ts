import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import koffi from 'koffi'
import { openNotify } from '../../src/daemon/notify.ts'
import { scratch } from './scratch.ts'

/**
 * The manager's end of the socket, as systemd opens it: bound to a path, or to an abstract name.
 */
function manager(t: TestContext, path: string) {
  const libc = koffi.load('libc.so.6')
  const socket = libc.func('int socket(int domain, int type, int protocol)')
  const bind = libc.func('int bind(int fd, const void *address, uint32_t length)')
  const receive = libc.func('intptr_t recv(int fd, void *bytes, size_t length, int flags)')
  const close = libc.func('int close(int fd)')
  const [unix, datagram, dontWait] = [1, 2, 0x40]
  const fd = socket(unix, datagram, 0)
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path)
  const address = Buffer.concat([Buffer.from([unix, 0]), name])
  assert.equal(bind(fd, address, address.length), 0)
  t.after(() => close(fd))
  return () => {
    const bytes = Buffer.alloc(4096)
    const length = Number(receive(fd, bytes, bytes.length, dontWait))
    return length < 0 ? undefined : bytes.toString('utf8', 0, length)
  }
}

for (const kind of ['path', 'abstract name'] as const) {
  test(`systemd hears at a ${kind} what the daemon says`, (t) => {
    const socket = kind === 'path' ? join(scratch(t), 'notify') : `@picket-test-${process.pid}`
    const heard = manager(t, socket)
    const environment = { NOTIFY_SOCKET: socket }
    const notify = openNotify(environment)
    assert.deepEqual(environment, {}, 'a script of a resource could speak in our name')
    assert.equal(notify('READY=1', 'STATUS=two nodes,\nMAINPID=1'), true)
    assert.equal(heard(), 'READY=1\nSTATUS=two nodes, MAINPID=1')
    assert.equal(heard(), undefined)
  })
}

test('where nobody listens nothing is said, and nothing breaks', (t) => {
  assert.equal(openNotify({})('READY=1'), false)
  assert.equal(openNotify({ NOTIFY_SOCKET: 'relative' })('READY=1'), false)
  assert.equal(openNotify({ NOTIFY_SOCKET: join(scratch(t), 'gone') })('READY=1'), false)
  assert.equal(openNotify({ NOTIFY_SOCKET: `/${'x'.repeat(200)}` })('READY=1'), false)
})
