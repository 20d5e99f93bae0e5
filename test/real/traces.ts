/** What a lab leaves on the machine: found by namespaces, not by what the lab says of itself. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { until } from '../../src/lab/lab.ts'

/** Every namespace that belongs to a lab now: those of its links, and of who lives in them. */
export function tracesOf(lab: string): Set<string> {
  const links = existsSync('/run/netns') ? readdirSync('/run/netns') : []
  const ours = new Set<string>()
  const nets = links
    .filter((netns) => netns.startsWith(`picket-${lab}-`))
    .map((netns) => inodeOfNetns(`/run/netns/${netns}`))
  for (const net of nets) if (net !== undefined) ours.add(net)
  const host = namespacesOf('self')
  for (const pid of pids()) {
    const spaces = namespacesOf(pid)
    if (!spaces.some((space) => ours.has(space))) continue
    for (const space of spaces) if (!host.includes(space)) ours.add(space)
  }
  return ours
}

/** What is still there of a lab: processes, network namespaces, mounts, control groups, files. */
export async function leftovers(lab: string, traces: ReadonlySet<string>): Promise<string[]> {
  const found: string[] = []
  const look = () => {
    found.length = 0
    for (const pid of pids()) {
      const inside = namespacesOf(pid).some((space) => traces.has(space))
      const named = textOf(`/proc/${pid}/cmdline`).includes(`/${lab}/n`)
      if (inside || named) found.push(`process ${pid} ${textOf(`/proc/${pid}/comm`).trim()}`)
    }
    const netns = existsSync('/run/netns') ? readdirSync('/run/netns') : []
    found.push(...netns.filter((each) => each.startsWith(`picket-${lab}-`)))
    const mounts = textOf('/proc/mounts').split('\n')
    found.push(...mounts.filter((line) => line.includes(`/${lab}/`) || line.includes(`-${lab}-`)))
    const groups = mounts.filter((line) => line.split(' ')[2] === 'cgroup2')
    const dirs = groups.map((line) => `${line.split(' ')[1]}/picket-lab.${lab}`)
    found.push(...[...dirs, `/run/picket-lab/${lab}`].filter((dir) => existsSync(dir)))
    return found.length === 0
  }
  // The kernel takes a moment to let the last process of a namespace go.
  await until(look, 3000)
  return found
}

function pids(): string[] {
  return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))
}

function namespacesOf(pid: string): string[] {
  return ['net', 'mnt', 'pid'].flatMap((kind) => {
    try {
      return [readlinkSync(`/proc/${pid}/ns/${kind}`)]
    } catch {
      return [] // It has ended meanwhile, or is a zombie.
    }
  })
}

function inodeOfNetns(file: string): string | undefined {
  const [line] = textOf('/proc/self/mountinfo')
    .split('\n')
    .filter((entry) => entry.split(' ')[4] === file)
  return line?.split(' ')[3]
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
