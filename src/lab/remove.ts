/**
 * How a lab goes away, whatever state it is in: by the names of its network namespaces and not by
 * what it has written down, so that it also finds what an interrupted start has left.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { labsDir, stateDir } from './names.ts'
import { networkNames, removeNetwork } from './network.ts'
import { killAll, processesLike } from './processes.ts'
import { LabError, must, run } from './run.ts'

/** End every process of the lab, then remove its network, its control groups and its files. */
export async function removeAll(name: string): Promise<void> {
  const dir = stateDir(name)
  // From here on nothing boots any more: a slow BMC may be about to.
  if (existsSync(dir)) await writeFile(path.join(dir, 'down'), '')
  const netns = networkNames(name)
  // The switch comes first: a client there should not see the nodes go one by one.
  netns.sort((a, b) => Number(b.endsWith('-sw')) - Number(a.endsWith('-sw')))
  await killAll(`the lab "${name}"`, () =>
    netns.flatMap((each) => processesLike('net', `/run/netns/${each}`)),
  )
  await removeNetwork(netns)
  await removeControlGroups(name)
  await unmountBelow(dir)
  await rm(dir, { recursive: true, force: true })
  // Not empty where other labs are up, and not ours where PICKET_LAB names it.
  if (!process.env.PICKET_LAB) await rmdir(labsDir()).catch(() => undefined)
}

/** The disks of its nodes, where they have some of their own. */
async function unmountBelow(dir: string): Promise<void> {
  const table = readFileSync('/proc/self/mounts', 'utf8')
  const places = table.split('\n').map((line) => line.split(' ')[1] ?? '')
  for (const at of places.filter((place) => place.startsWith(`${dir}/`))) {
    await must(['umount', '-l', at])
  }
}

/** Version 2 may not be mounted here, or read-only; a mount of our own is both. */
async function removeControlGroups(name: string): Promise<void> {
  const dir = stateDir(name)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  // What has just been killed may still be on its way out: again and again, for two seconds.
  const script = `mount -t cgroup2 cgroup2 "$1" 2>/dev/null || exit 0
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
      [ -d "$1/$2" ] || exit 0
      echo 1 2>/dev/null >"$1/$2/cgroup.kill" || :
      find "$1/$2" -depth -type d -exec rmdir {} + 2>/dev/null && exit 0
      sleep 0.1
    done
    find "$1/$2" -depth -type d -exec rmdir {} +`
  const argv = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh']
  const { status, stderr } = await run([...argv, dir, `picket-lab.${name}`])
  if (status === 0) return
  throw new LabError(`The control groups of the lab "${name}" cannot be removed: ${stderr.trim()}`)
}
