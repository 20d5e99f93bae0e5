/**
 * The resource types, by name. Each is loaded when a config asks for it, so that a node without
 * virtual addresses never opens a raw socket's library.
 */
import type { ResourceType } from './resource.ts'

const types: Readonly<Record<string, () => Promise<ResourceType>>> = {
  exec: async () => (await import('./exec.ts')).exec,
  ocf: async () => (await import('./ocf.ts')).ocf,
  systemd: async () => (await import('./systemd.ts')).systemd,
  vip: async () => (await import('./vip.ts')).vip,
}

/** Every type that a config may name. */
export const resourceTypeNames: readonly string[] = Object.keys(types)

/** Loads one resource type; throws when there is none of that name. */
export async function loadResourceType(name: string): Promise<ResourceType> {
  const load = Object.hasOwn(types, name) ? types[name] : undefined
  if (load === undefined) {
    throw new Error(
      `there is no resource type \`${name}\`; there are: ${resourceTypeNames.join(', ')}`,
    )
  }
  return await load()
}
