/**
 * A node with one resource, a virtual address, to be started inside a network namespace. Reads one command as
 * JSON per line (`{ "do": "start", "timeoutMs": 10000 }`, `{ "do": "prepare" }`), prints one answer
 * as JSON per line.
 */
import { createInterface } from 'node:readline'
import type { ResourceOp } from '../../src/core/effect.ts'
import { openResources } from '../../src/resources/runner.ts'

const [, , stateDir = '', options = '{}', type = 'vip'] = process.argv
const said: string[] = []
const resources = await openResources({
  stateDir,
  resources: [{ id: 'ip', type, options: JSON.parse(options) }],
  say: (_, text) => void said.push(text),
})
await resources.sweep()
let id = 0
for await (const line of createInterface(process.stdin)) {
  const command: { do: ResourceOp | 'prepare'; timeoutMs: number } = JSON.parse(line)
  if (command.do === 'prepare') {
    resources.prepare('ip')
    console.log('{}')
  } else {
    const beganMs = performance.now()
    const ran = await resources.run(++id, 'ip', command.do, command.timeoutMs)
    console.log(JSON.stringify({ ...ran, tookMs: performance.now() - beganMs, said }))
  }
}
await resources.close()
process.exit()
