/**
 * A daemon to be killed: opens one resource, sweeps, runs operations one after the other, prints
 * each outcome, and stays. Arguments: state directory, mechanism, options as JSON, operations.
 */
import type { ResourceOp } from '../../src/core/effect.ts'
import type { MechanismKind } from '../../src/resources/mechanism.ts'
import { openResources } from '../../src/resources/runner.ts'

const [, , stateDir = '', mechanism, options = '{}', ...ops] = process.argv
const resources = await openResources({
  stateDir,
  mechanism: mechanism as MechanismKind,
  resources: [{ id: 'web', type: 'exec', options: JSON.parse(options) }],
  say: (_, text) => console.log(text),
})
for (const sentence of await resources.sweep()) console.log(sentence)
for (const [id, op] of ops.entries()) {
  const { outcome } = await resources.run(id, 'web', op as ResourceOp, 60_000)
  console.log(`${op} ${outcome}`)
}
setInterval(() => {}, 1000)
