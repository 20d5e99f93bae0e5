/** A configuration for orders without picketd, and the real BMCs that it names. */
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { folder } from '../config/files.ts'
import { admin, type Bmc, startBmc } from '../fence/ipmi-sim.ts'

export interface Site {
  readonly config: string
  readonly state: string
  readonly bmcs: readonly [Bmc, Bmc]
}

/** A node with two BMCs, one level each, and one without any. */
export async function site(t: TestContext): Promise<Site> {
  const bmcs = await Promise.all([startBmc(), startBmc()])
  t.after(() => Promise.all(bmcs.map((bmc) => bmc.stop())))
  const [one, other] = bmcs.map(({ port }) => `{driver: ipmi, host: 127.0.0.1, port: ${port}}`)
  const dir = folder(t, {
    'config.yaml': `cluster:
  name: test
  nodes:
    - { name: node-01, fence: [${one}, ${other}] }
    - { name: node-02 }
fence: { drivers: { ipmi: { cipher: 3, privilege: administrator, timeout_seconds: 5 } } }
`,
    'fence-secrets.yaml': `ipmi: { user: ${admin.name}, password: ${admin.password} }\n`,
  })
  return { config: join(dir, 'config.yaml'), state: join(dir, 'state'), bmcs }
}
