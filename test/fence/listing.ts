/** What a driver lists, as tests want to see it. */
import { openBox } from '../../src/fence/box.ts'
import type { Driver, Target } from '../../src/fence/driver.ts'

export const ask = { timeoutMs: 8_000 }

/** What a driver lists, or the sentence instead of it. */
export async function listed(driver: Driver, options: object): Promise<readonly Target[] | string> {
  const { ok, targets, detail } = await openBox({ id: 'web-02/1/1', driver, options }).list(ask)
  return ok ? targets : (detail ?? '')
}

/** One line for each target: `plug name power`; or the sentence. */
export const lines = (found: readonly Target[] | string): readonly string[] | string =>
  typeof found === 'string'
    ? found
    : found.map(({ plug, name, power }) => `${plug} ${name} ${power}`)
