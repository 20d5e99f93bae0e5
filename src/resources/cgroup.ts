/**
 * Scopes as control groups: nothing that a process does (fork, daemonise, new session) leads out of
 * one, and the kernel lets an empty one alone be removed, which is the proof that all of it is
 * gone.
 *
 * Version 2 where it can be written, else a version 1 hierarchy that does nothing but group (moving
 * processes in `cpu` or `memory` would change what they get). The groups lie at the root of the
 * hierarchy rather than below our own, so that they survive whatever a service manager does to the
 * group of a daemon that died.
 *
 * @source Linux, Documentation/admin-guide/cgroup-v2.rst (`cgroup.kill`, `cgroup.events`) and
 * cgroup-v1/freezer-subsystem.rst.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Mechanism, MechanismKind } from './mechanism.ts'
import { lives, signal, statOf } from './process.ts'

type Version = Extract<MechanismKind, 'cgroup2' | 'cgroup1'>

/** Version 1 hierarchies that only group, best first: the freezer can hold still what it kills. */
const GROUPING: readonly string[] = ['freezer', 'pids', 'perf_event', 'name=systemd']

/** Scopes below the first hierarchy that lets us; `undefined` when none does. */
export function openCgroup(node: string, version: Version): Mechanism | undefined {
  for (const root of candidates(version)) {
    const base = join(root, 'picket', node)
    if (admits(base)) return cgroupMechanism(version, base)
  }
  return undefined
}

function cgroupMechanism(kind: Version, base: string): Mechanism {
  const path = (name: string) => join(base, name)
  return {
    kind,
    place: base,
    create: (name) => void mkdirSync(path(name), { recursive: true }),
    gate: (name) => join(path(name), 'cgroup.procs'),
    list: async () =>
      subgroups(base).flatMap((resource) => subgroups(resource).map((dir) => relative(base, dir))),
    pids: async (names) => names.flatMap((name) => pidsBelow(path(name))),
    kill: async (names) => {
      for (const name of names) killBelow(path(name))
    },
    remove: async (name) => {
      if (!removeBelow(path(name))) return false
      // Tidiness only: both stay while they hold other scopes.
      if (removeGroup(dirname(path(name)))) removeGroup(base)
      return true
    },
    events: (name) => (kind === 'cgroup2' ? join(path(name), 'cgroup.events') : undefined),
  }
}

/** Directories that may hold our groups: the root of the hierarchy, then the group we live in. */
function candidates(version: Version): string[] {
  const mounts = mountedHierarchies(version)
  const own = readFileSync('/proc/self/cgroup', 'utf8').split('\n')
  return mounts.flatMap(({ at, root, controller }) => {
    const line = own.find((entry) => entry.split(':')[1]?.split(',').includes(controller))
    const below = relative(root, line?.split(':').slice(2).join(':') ?? root)
    return below === '' || below.startsWith('..') ? [at] : [at, join(at, below)]
  })
}

interface Hierarchy {
  readonly at: string
  readonly root: string
  /** Empty for version 2, as in /proc/self/cgroup. */
  readonly controller: string
}

function mountedHierarchies(version: Version): Hierarchy[] {
  const found: Hierarchy[] = []
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [head = '', tail = ''] = line.split(' - ')
    const [, , , root = '/', at = ''] = head.split(' ').map(unescapeOctal)
    const [type, , options = ''] = tail.split(' ')
    // A mount from outside our cgroup namespace is not ours to write in.
    if (root.startsWith('/..')) continue
    if (version === 'cgroup2' && type === 'cgroup2') found.push({ at, root, controller: '' })
    if (version === 'cgroup1' && type === 'cgroup') {
      const controller = GROUPING.find((name) => options.split(',').includes(name))
      if (controller !== undefined) found.push({ at, root, controller })
    }
  }
  const rank = ({ controller }: Hierarchy) => GROUPING.indexOf(controller)
  return found.sort((a, b) => rank(a) - rank(b))
}

function unescapeOctal(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)))
}

/** Can a program really be moved below this directory? Asked by moving one. */
function admits(base: string): boolean {
  const trial = join(base, 'trial')
  try {
    mkdirSync(trial, { recursive: true })
    const moved = spawnSync('/bin/sh', ['-c', 'echo 0 >"$0"', join(trial, 'cgroup.procs')], {
      stdio: 'ignore',
      timeout: 5000,
    })
    return moved.status === 0
  } catch {
    return false
  } finally {
    removeGroup(trial)
    removeGroup(base)
  }
}

function subgroups(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(dir, entry.name))
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

function pidsBelow(dir: string): number[] {
  return [...pidsIn(dir), ...subgroups(dir).flatMap(pidsBelow)]
}

function pidsIn(dir: string): number[] {
  try {
    // A process of a pid namespace beside ours is shown as 0; old kernels show zombies, too.
    return readFileSync(join(dir, 'cgroup.procs'), 'utf8')
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0 && lives(statOf(pid)))
  } catch (error) {
    // A threaded group does not list its processes; the group above it does.
    if (isGone(error) || (error as NodeJS.ErrnoException).code === 'EOPNOTSUPP') return []
    throw error
  }
}

function killBelow(dir: string): void {
  if (!existsSync(dir)) return
  if (existsSync(join(dir, 'cgroup.kill'))) return write(join(dir, 'cgroup.kill'), '1')
  // Older kernels: hold everything still first, so that no fork can outrun the signals.
  const freeze: (readonly [string, string, string])[] = [
    ['cgroup.freeze', '1', '0'],
    ['freezer.state', 'FROZEN', 'THAWED'],
  ]
  const brake = freeze.find(([file]) => existsSync(join(dir, file)))
  if (brake) write(join(dir, brake[0]), brake[1])
  try {
    for (const pid of pidsBelow(dir)) signal(pid, 'SIGKILL')
  } finally {
    if (brake) write(join(dir, brake[0]), brake[2])
  }
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

/** Removes a group and all below it; the kernel refuses as long as one process lives in it. */
function removeBelow(dir: string): boolean {
  for (const group of subgroups(dir)) if (!removeBelow(group)) return false
  return removeGroup(dir)
}

function removeGroup(dir: string): boolean {
  try {
    rmdirSync(dir)
    return true
  } catch (error) {
    return isGone(error)
  }
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENODEV'
}
