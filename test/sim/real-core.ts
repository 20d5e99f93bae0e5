/** The core under test, as the simulator takes it. */
import * as cluster from '../../src/core/cluster.ts'
import type { Core } from '../../src/sim/core.ts'

export const realCore = cluster as unknown as Core
