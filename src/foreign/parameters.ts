/** Checks values against what an agent says that its parameters take. */
import type { AgentParameter } from './metadata.ts'

/**
 * Names of parameters that nobody may see the value of. An agent's metadata does not tell them from
 * others.
 */
export const secretName = /passw(or)?d$|secret|token$|_kg$|^community$/i

/** Why an agent would not take this value for what it is; `undefined` where it would. */
export function faultOf({ type, choice }: AgentParameter, text: string): string | undefined {
  switch (type) {
    case 'boolean':
      return /^(1|0|yes|no|on|off|true|false)$/i.test(text) ? undefined : 'is neither 1 nor 0'
    case 'integer':
    case 'second':
      return /^-?\d+(\.\d+)?$/.test(text) ? undefined : 'is no number'
    case 'time':
    case 'timeout':
    case 'duration':
      return /^\d+(\.\d+)?\s*(ms|s|sec|m|min|h|d)?$/.test(text) ? undefined : 'is no span of time'
    case 'select':
      return choice.includes(text) ? undefined : `is none of ${choice.join(', ')}`
    default:
      return undefined
  }
}
