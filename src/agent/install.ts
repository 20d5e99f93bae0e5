/**
 * Places the agents where Pacemaker looks for them, and takes them away again. Of each program
 * there is one launcher with absolute paths in it, because pcs calls agents with an empty
 * environment; its other names are links to it. What somebody else has put there is never touched.
 */
import {
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Agent, agents } from './names.ts'

/** Where Pacemaker, pcs and crmsh look; they were compiled with it. */
export const usualDir = '/usr/sbin'

/** Stands in every launcher of ours. */
const mark = '# A fence agent of Picket, placed by `picket agents install`.'

export type Place = 'ours' | 'outdated' | 'foreign' | 'absent'

export interface Placed {
  readonly name: string
  readonly path: string
  readonly title: string
  readonly found: Place
}

/** How Node.js is started for them; none may change the code that V8 has kept. */
export const nodeFlags = [
  ...['--disable-warning=ExperimentalWarning', '--min-semi-space-size=16', '--disable-sigusr1'],
  '--disable-wasm-trap-handler',
]

/** The file of a program: `.ts` in a checkout, `.js` in a release. */
function programFile(program: string): string {
  const here = fileURLToPath(import.meta.url)
  return join(dirname(dirname(here)), `${program}${extname(here)}`)
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** Where Node.js is gone, standard input is read all the same: pacemaker-fenced may die of it. */
function launcherOf(program: string): string {
  return `#!/bin/sh
${mark}
node=${quoted(process.execPath)}
main=${quoted(programFile(program))}
if [ ! -x "$node" ] || [ ! -r "$main" ]; then
  [ $# -gt 0 ] || while read -r _; do :; done
  echo "Failed: Picket is not where it was: run \\\`picket agents install\\\` again" >&2
  exit 1
fi
exec "$node" ${nodeFlags.join(' ')} "$main" "\${0##*/}" "$@"
`
}

const firstOf = ({ program }: Agent): Agent =>
  agents.find((each) => each.program === program) as Agent

/** What is there under every name. */
export function placesIn(dir: string): readonly Placed[] {
  return agents.map((agent) => {
    const { name, title } = agent
    const path = join(dir, name)
    return { name, title, path, found: placeOf(agent, path) }
  })
}

function placeOf(agent: Agent, path: string): Place {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return 'absent'
  const first = firstOf(agent)
  if (found.isSymbolicLink()) {
    const target = readlinkSync(path)
    if (first !== agent && target === first.name) return 'ours'
    return agents.some(({ name }) => name === target) ? 'outdated' : 'foreign'
  }
  if (!found.isFile()) return 'foreign'
  const text = found.size > 4_096 ? '' : readFileSync(path, 'utf8')
  if (!text.includes(mark)) return 'foreign'
  return text === launcherOf(agent.program) && first === agent ? 'ours' : 'outdated'
}

/** Places what is missing or outdated; the names that somebody else has are left alone. */
export function install(dir: string): { readonly placed: readonly string[] } {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) mkdirSync(dir, { recursive: true })
  const placed = placesIn(dir).filter(({ found }) => found === 'absent' || found === 'outdated')
  for (const { name, path } of placed) {
    const agent = agents.find((each) => each.name === name) as Agent
    const first = firstOf(agent)
    // Renamed into place: nobody ever finds half a launcher.
    const fresh = `${path}.picket-new`
    rmSync(fresh, { force: true })
    if (first === agent) writeFileSync(fresh, launcherOf(agent.program), { mode: 0o755 })
    else symlinkSync(first.name, fresh)
    renameSync(fresh, path)
  }
  return { placed: placed.map(({ name }) => name) }
}

/** Takes away what is ours, links first. */
export function uninstall(dir: string): { readonly removed: readonly string[] } {
  const ours = placesIn(dir).filter(({ found }) => found === 'ours' || found === 'outdated')
  for (const { path } of ours.toReversed()) rmSync(path, { force: true })
  return { removed: ours.map(({ name }) => name) }
}
