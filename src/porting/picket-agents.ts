/** placeholder */
import type { Mapped } from './agents.ts'

export const isOwn = (type: string): boolean => /^fence_picket_(?!verify$)[a-z_]+$/.test(type)
export const isVerification = (type: string): boolean => type === 'fence_picket_verify'
export function verifiedAddresses(parameters: ReadonlyMap<string, string>): readonly string[] {
  return (parameters.get('addresses') ?? '').split(/[\s,]+/).filter(Boolean)
}
export async function ownStep(
  type: string,
  parameters: ReadonlyMap<string, string>,
  node: string | undefined,
): Promise<Mapped | string> {
  return `${type} ${parameters.size} ${node}`
}
