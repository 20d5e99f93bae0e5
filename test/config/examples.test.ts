/** The configurations that people copy are right. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { load } from './files.ts'

const home = join(import.meta.dirname, '..', '..', 'examples')
const configs = globSync('*.yaml', { cwd: home }).filter((name) => !name.includes('.secrets.'))

test('there are examples', () => assert.ok(configs.length >= 2))

for (const name of configs) {
  test(`examples/${name} is accepted without a warning, and every node can be fenced`, async (t) => {
    const text = readFileSync(join(home, name), 'utf8')
    const secrets = readFileSync(join(home, `${basename(name, '.yaml')}.secrets.yaml`), 'utf8')
    const { core, warnings } = await load(t, { config: text, secrets })
    assert.deepEqual(warnings, [])
    for (const node of core.nodes) assert.ok(node.levels.length > 0, node.id)
    assert.ok(core.resources.length > 0)
  })
}
