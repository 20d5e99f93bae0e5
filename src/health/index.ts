/** The types of health checks, by name. Each is loaded when a config asks for it. */
import type { CheckType } from './check.ts'

const types: Readonly<Record<string, () => Promise<CheckType>>> = {
  exec: async () => (await import('./exec.ts')).exec,
  http: async () => (await import('./http.ts')).http,
  systemd: async () => (await import('./systemd.ts')).systemd,
  tcp: async () => (await import('./tcp.ts')).tcp,
}

/** Every type that a config may name. */
export const checkTypeNames: readonly string[] = Object.keys(types)

/** Loads one type of check; throws when there is none of that name. */
export async function loadCheckType(name: string): Promise<CheckType> {
  const load = Object.hasOwn(types, name) ? types[name] : undefined
  if (load === undefined) {
    throw new Error(`there is no check type \`${name}\`; there are: ${checkTypeNames.join(', ')}`)
  }
  return await load()
}
