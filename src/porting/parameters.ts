/**
 * The parameters of a fence agent as a CIB holds them: under old names and new ones, taken one by
 * one, so that what nobody took can be named.
 */

/** Old names of ClusterLabs' agents, and what each of them is called today. */
const renamed: Readonly<Record<string, string>> = {
  ipaddr: 'ip',
  udpport: 'ipport',
  login: 'username',
  passwd: 'password',
  passwd_script: 'password_script',
  port: 'plug',
  secure: 'ssh',
  debug: 'debug_file',
  sudo: 'use_sudo',
  cmd_prompt: 'command_prompt',
  node_name: 'pve_node',
}

/** Nobody may see what these hold: generous, because a name is all that tells them from others. */
const secretNames = /pass|pwd|secret|token|_kg$|community|(^|_)key$/i

export const isSecretName = (name: string): boolean => secretNames.test(name)

/** The name that it has today, with `_` for `-`. */
export function newName(name: string): string {
  const plain = name.replaceAll('-', '_').toLowerCase()
  return Object.hasOwn(renamed, plain) ? (renamed[plain] ?? plain) : plain
}

/** Parameters by their new names; each is taken once. */
export class Parameters {
  readonly #left: Map<string, string>

  constructor(all: ReadonlyMap<string, string>) {
    this.#left = new Map([...all].map(([name, value]) => [newName(name), value]))
    // Where both are set the new one counts, as in the agents themselves.
    for (const [name, value] of all) {
      if (newName(name) === name) this.#left.set(name, value)
    }
  }

  take(name: string): string | undefined {
    const value = this.#left.get(name)
    this.#left.delete(name)
    return value
  }

  /** Is it there and switched on? */
  isOn(name: string, standard = false): boolean {
    const value = this.take(name)
    return value === undefined ? standard : /^(1|yes|on|true)$/i.test(value.trim())
  }

  /** Take all of these away; those that were there. */
  drop(names: readonly string[]): readonly string[] {
    return names.filter((name) => this.take(name) !== undefined)
  }

  get left(): readonly string[] {
    return [...this.#left.keys()]
  }
}

/** Options alone, without those that are not set. */
export function set(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

/** A whole number where the text is one; else the text, of which the schema says what is wrong. */
export function number(text: string | undefined): number | string | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text.trim()) ? Number(text) : text
}

/** `5`, `5s`, `500ms`, `1m`: a span of Pacemaker's in seconds; `undefined` where it is none. */
export function spanSeconds(text: string): number | undefined {
  const [, count, unit = ''] = /^\s*(\d{1,9})\s*([a-z]*)\s*$/i.exec(text) ?? []
  const units: Readonly<Record<string, number>> = {
    ...{ '': 1, s: 1, sec: 1, ms: 1e-3, msec: 1e-3, us: 1e-6, usec: 1e-6 },
    ...{ m: 60, min: 60, h: 3600, hr: 3600 },
  }
  const key = unit.toLowerCase()
  const factor = Object.hasOwn(units, key) ? units[key] : undefined
  return count === undefined || factor === undefined ? undefined : Number(count) * factor
}
