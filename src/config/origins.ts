/**
 * Where a secret may come from that stands in no file of ours (F12): an environment variable, or a
 * credential that systemd has given to this program. The config holds its name alone:
 * `password_env: NAME`, `password_credential: NAME`.
 */
import { join } from 'node:path'
import { readText } from './read.ts'

/** What is appended to the name of a secret to say where it comes from. */
export const suffixes = ['_env', '_credential'] as const

type Suffix = (typeof suffixes)[number]

/** What may stand after such a key; neither is ever a path. */
export const originNames = {
  _env: { pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, title: 'an environment variable', form: '' },
  _credential: {
    pattern: /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/,
    title: 'a systemd credential',
    form: ' (letters, digits, `.`, `_` and `-`; no path)',
  },
} as const satisfies Record<Suffix, { pattern: RegExp; title: string; form: string }>

/** Far above any password or token, far below what would hold up a start. */
const bytesMax = 64 << 10

/** All that a program was given besides its files. */
export interface Origins {
  /** The secret that a key like `password_env` names, or why there is none. */
  read(key: string, suffix: Suffix, name: unknown): Origin
  /** The file of a credential of that name; undefined where systemd has given none at all. */
  credentialFile(name: string): string | undefined
  /** Every file that a secret has come from so far. */
  readonly files: ReadonlySet<string>
}

export type Origin =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly message: string }

/** `password_env` is `password` and `_env`; undefined for a key without such an end. */
export function splitKey(
  key: string,
): { readonly base: string; readonly suffix: Suffix } | undefined {
  const suffix = suffixes.find((end) => key.endsWith(end) && key !== end)
  return suffix && { base: key.slice(0, -suffix.length), suffix }
}

/** The origins that this environment tells of. */
export function openOrigins(env: NodeJS.ProcessEnv): Origins {
  const files = new Set<string>()
  const credentialFile = (name: string): string | undefined => {
    const directory = env.CREDENTIALS_DIRECTORY
    return directory ? join(directory, name) : undefined
  }
  return {
    files,
    credentialFile,
    read(key, suffix, name) {
      const { pattern, title, form } = originNames[suffix]
      if (typeof name !== 'string' || !pattern.test(name)) {
        return refuse(`write the name of ${title}${form} in ${key}`)
      }
      if (suffix === '_env') return readVariable(env, key, name)
      const file = credentialFile(name)
      if (file === undefined) return refuse(withoutCredentials(key, name))
      const read = readCredential(file, key, name)
      if (read.ok) files.add(file)
      return read
    },
  }
}

/** Looks nowhere: whatever a key names is there, and nobody learns what it is. */
export const blindOrigins: Origins = {
  files: new Set(),
  credentialFile: () => undefined,
  read: (key, suffix, name) => {
    const { pattern, title, form } = originNames[suffix]
    const named = typeof name === 'string' && pattern.test(name)
    return named
      ? { ok: true, value: 'not-read' }
      : refuse(`write the name of ${title}${form} in ${key}`)
  },
}

function readVariable(env: NodeJS.ProcessEnv, key: string, name: string): Origin {
  const value = env[name]
  if (value !== undefined && value !== '') return { ok: true, value }
  return refuse(`the environment variable ${name}, which ${key} names, is not set for this program`)
}

function readCredential(file: string, key: string, name: string): Origin {
  const read = readText(file, true, bytesMax)
  if (!read.ok) {
    return refuse(
      read.missing
        ? `there is no credential ${name}, which ${key} names: ${mend(name)}`
        : `the credential ${name}, which ${key} names, at ${file}: ${read.problem.message}`,
    )
  }
  // Whoever writes a password into a file with an editor or with echo leaves one behind it.
  const value = read.text.replace(/\r?\n$/, '')
  return value === ''
    ? refuse(`the credential ${name}, which ${key} names, is empty`)
    : { ok: true, value }
}

function withoutCredentials(key: string, name: string): string {
  return (
    `${key} names the credential ${name}, and systemd has given this program none ` +
    `(CREDENTIALS_DIRECTORY is not set): ${mend(name)}, or outside of it set ` +
    'CREDENTIALS_DIRECTORY=/run/credentials/picketd.service'
  )
}

const mend = (name: string): string => `add LoadCredential=${name}:FILE to picketd.service`

const refuse = (message: string): Origin => ({ ok: false, message })
