/**
 * Which GFS2 filesystems a fencing is about, as far as anybody can tell at once. All that know are
 * asked together, within one bound, and the first of them in this order counts that has answered:
 * Kubernetes, the locks of DLM, the status of Pacemaker's resources, its configuration. It is a
 * note for those who read the logs: a fence never waits for it any longer, and that nobody answered
 * is told as `unknown`, not as none.
 */

import { runChild } from '../foreign/child.ts'
import { printable } from '../foreign/printable.ts'

export const unknown: readonly string[] = ['unknown']
/** Less than half a second, with all that is around it. */
const boundMs = 400
const outputMaxBytes = 4 * 2 ** 20
const namesMax = 64

export interface Found {
  readonly filesystems: readonly string[]
  /** Who told, or why nobody did. */
  readonly by: string
}

interface Source {
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
  /** The names in its answer; `undefined` where that is none. */
  readonly namesIn: (stdout: string) => readonly string[] | undefined
}

export interface DiscoveryOptions {
  readonly enabled?: boolean
  /** Where kubectl finds its cluster. */
  readonly kubeconfig?: string
  readonly path?: string
  readonly boundMs?: number
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const sources: readonly Source[] = [
  {
    name: 'kubectl',
    program: 'kubectl',
    args: ['get', 'nnfstorage', '-A', '-o', 'json', '--request-timeout=1s'],
    namesIn: storagesIn,
  },
  { name: 'dlm_tool', program: 'dlm_tool', args: ['ls', '-n'], namesIn: lockspacesIn },
  {
    name: 'pcs status',
    program: 'pcs',
    args: ['status', 'resources'],
    namesIn: (text) => nonEmpty(gfs2ResourcesIn(text)),
  },
  { name: 'pcs config', program: 'pcs', args: ['config'], namesIn: filesystemsIn },
]

/** Asks everybody at once. Never throws, and always ends within its bound. */
export async function discover(options: DiscoveryOptions = {}): Promise<Found> {
  const { enabled = true, kubeconfig, path = defaultPath } = options
  if (!enabled) return { filesystems: unknown, by: 'nobody was asked' }
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), options.boundMs ?? boundMs)
  const env = {
    ...{ PATH: path, LC_ALL: 'C', HOME: '/root' },
    ...(kubeconfig !== undefined && { KUBECONFIG: kubeconfig }),
  }
  try {
    return await firstOf(sources.map((source) => ask(source, env, stop.signal)))
  } finally {
    clearTimeout(timer)
    stop.abort()
  }
}

/** The first in order that has answered; those before it have to have ended. */
async function firstOf(asked: readonly Promise<Found | undefined>[]): Promise<Found> {
  for (const each of asked) {
    const found = await each
    if (found !== undefined) return found
  }
  return { filesystems: unknown, by: 'nobody could tell' }
}

async function ask(
  { name, program, args, namesIn }: Source,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Found | undefined> {
  try {
    const { code, stdout } = await runChild(program, args, { env, signal, outputMaxBytes })
    const names = code === 0 ? namesIn(stdout) : undefined
    return names && { filesystems: tidy(names), by: name }
  } catch {
    // Missing, cut short or talkative: nobody has answered.
    return undefined
  }
}

const tidy = (names: readonly string[]): readonly string[] =>
  [...new Set(names.map((name) => printable(name, 200)).filter(Boolean))].slice(0, namesMax)

const nonEmpty = (names: readonly string[]) => (names.length > 0 ? names : undefined)

/** The storages of Near Node Flash whose filesystem is GFS2; none of them is an answer too. */
export function storagesIn(text: string): readonly string[] | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const { items } = Object(value) as { items?: unknown }
  if (!Array.isArray(items)) return undefined
  return items.flatMap((item: unknown) => {
    const { metadata, spec } = Object(item) as Record<string, unknown>
    const { name } = Object(metadata) as { name?: unknown }
    const { fileSystemType } = Object(spec) as { fileSystemType?: unknown }
    return fileSystemType === 'gfs2' && typeof name === 'string' ? [name] : []
  })
}

/** Every lockspace of DLM but those that clvmd and its kin have; DLM calls GFS2's by its name. */
export function lockspacesIn(text: string): readonly string[] | undefined {
  const names = [...text.matchAll(/^name\s+(\S+)\s*$/gm)].map(([, name = '']) => name)
  const known = /^(clvmd|lvm_\S+|ocfs2|controld)$/
  return nonEmpty(names.filter((name) => !known.test(name)))
}

/** Resources of Pacemaker that are called after GFS2: `gfs2-scratch`, `scratch-gfs2-clone`. */
export function gfs2ResourcesIn(text: string): readonly string[] {
  const lines = text.split('\n').filter((line) => /gfs2/i.test(line))
  return lines.flatMap((line) => {
    const [name] = line.match(/[\w.-]*gfs2[\w.-]*/i) ?? []
    return name === undefined ? [] : [name]
  })
}

/** Filesystem resources whose `fstype` is GFS2; a configuration without one says that too. */
export function filesystemsIn(text: string): readonly string[] | undefined {
  if (!/^(Cluster Name|Resources|Corosync Nodes|Pacemaker Nodes)/m.test(text)) return undefined
  const blocks = text.split(/^\s*Resource: /m).slice(1)
  return blocks
    .filter((block) => /\bfstype=gfs2\b/.test(block))
    .map((block) => /^\S+/.exec(block)?.[0] ?? '')
}
