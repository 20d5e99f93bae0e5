/** A name server that is gone, as it is for `picket`: in a mount namespace with one that is deaf. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { join } from 'node:path'
import { test } from 'node:test'
import { picket, program } from '../cli/picket.ts'
import { folder } from '../config/files.ts'
import { notRoot } from '../needs.ts'

test('picket ends with its answer, whatever a name server that is gone makes wait', {
  skip: notRoot,
}, async (t) => {
  const deaf = createSocket('udp4').bind(53, '127.0.0.77')
  t.after(() => deaf.close())
  const dir = folder(t, {
    'resolv.conf': 'nameserver 127.0.0.77\n',
    'config.yaml': `cluster:
  name: test
  nodes:
    - { name: a, fence: { driver: ipmi, host: bmc.picket.invalid.example, timeout_seconds: 1 } }
    - { name: b }
`,
    'fence-secrets.yaml': 'ipmi: { user: user-canary, password: word-canary }\n',
  })
  const script = `mount --bind ${join(dir, 'resolv.conf')} /etc/resolv.conf && exec "$0" "$@"`
  const asked = [program, 'fence', 'status', 'a', '--config', join(dir, 'config.yaml')]
  const beganMs = performance.now()
  const { code, out } = await picket(['-m', 'sh', '-c', script, ...asked], { argv0: 'unshare' })
  const tookMs = performance.now() - beganMs
  assert.equal(code, 1)
  assert.match(out, /no answer within the deadline/)
  assert.ok(tookMs < 4_000, `it ended after ${Math.round(tookMs)} ms`)
})
