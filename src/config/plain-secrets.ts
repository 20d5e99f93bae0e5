/**
 * Secrets that no log can hide: one that could be a word of Picket's own is left standing in whole
 * lines, because to blot it out there would destroy the log and tell the secret by its gaps.
 */
import { isHidable, secretsOf } from '../foreign/mask.ts'
import type { Device } from './fence.ts'
import { isSecret } from './merge.ts'

/** A sentence for each such option of a driver, which names the devices and never the secret. */
export function plainSecrets(devices: readonly Device[]): readonly string[] {
  const plain = devices.flatMap(({ id, driver, options }) =>
    Object.keys(options)
      .filter((key) => isSecret(driver, key))
      .filter((key) => !secretsOf(driver.options, { [key]: options[key] }).every(isKept))
      .map((key) => ({ id, key, driver: driver.name })),
  )
  const boxes = Map.groupBy(plain, ({ driver, key }) => `${driver} ${key}`)
  return [...boxes.values()].map((own) => {
    const name = (own[0]?.key ?? '').replaceAll('_', ' ')
    const ids = own.map(({ id }) => id).join(', ')
    return (
      `The ${name} of ${ids} is so short or so plain that it cannot be hidden in logs: choose a ` +
      'longer one.'
    )
  })
}

/** An empty one is nothing that could be told. */
function isKept(secret: string): boolean {
  return secret === '' || isHidable(secret)
}
