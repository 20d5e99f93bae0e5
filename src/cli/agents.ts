/** `picket agents`: the fence agents for Pacemaker, placed where it looks for them. */
import { install, type Place, placesIn, uninstall, usualDir } from '../agent/install.ts'
import { didYouMean } from '../config/suggest.ts'
import { defineCommand, type ExitCode, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

const actions = ['install', 'uninstall', 'list']

export const command = defineCommand({
  name: 'agents',
  words: ['install|uninstall|list'],
  about: `The fence agents by which Pacemaker fences with Picket: fence_picket, one for each driver
such as fence_picket_ipmi, and fence_picket_verify. docs/pacemaker.md says how they are used.

install: places them, for this Picket where it lies now; again after it was moved or upgraded. What
somebody else has put there under one of the names is left alone, and the exit code is 1.
uninstall: takes them away.
list: says which are there. Exit code 0 only if all of them are.`,
  flags: {
    dir: { value: 'DIR', title: `Where Pacemaker looks for agents (${usualDir})` },
    json: { title: 'With list: one JSON document on standard output' },
  },
  async run({ words: [action = ''], flags: { dir = usualDir, json = false } }, terminal) {
    if (!actions.includes(action)) {
      throw new UsageError(`there is no action "${action}".${didYouMean(action, actions)}`)
    }
    if (json && action !== 'list') throw new UsageError('--json belongs to list.')
    if (action === 'list') return list(dir, json, terminal)
    try {
      return action === 'install' ? place(dir, terminal) : remove(dir, terminal)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const why =
        code === 'EACCES' || code === 'EPERM' ? 'you may not write there; try as root' : ''
      terminal.err(`picket agents: ${dir}: ${why || message}`)
      return 1
    }
  },
})

function place(dir: string, { out, err }: Terminal): ExitCode {
  const { placed } = install(dir)
  for (const name of placed) out(`placed ${dir}/${name}`)
  const foreign = placesIn(dir).filter(({ found }) => found === 'foreign')
  for (const { path } of foreign) err(`${path} is not ours, and was left as it is.`)
  if (foreign.length > 0) return 1
  if (placed.length === 0) out(`All of them are in ${dir} already.`)
  return 0
}

function remove(dir: string, { out }: Terminal): ExitCode {
  const { removed } = uninstall(dir)
  for (const name of removed) out(`removed ${dir}/${name}`)
  if (removed.length === 0) out(`None of them is in ${dir}.`)
  return 0
}

const words: Readonly<Record<Place, string>> = {
  ours: 'placed  ',
  outdated: 'OUTDATED',
  foreign: 'FOREIGN ',
  absent: 'absent  ',
}

function list(dir: string, json: boolean, { out }: Terminal): ExitCode {
  const places = placesIn(dir)
  const ok = places.every(({ found }) => found === 'ours')
  if (json) out(JSON.stringify({ dir, ok, agents: places }))
  else {
    const width = Math.max(...places.map(({ name }) => name.length))
    for (const { name, found, title } of places) {
      out(`${words[found]}  ${name.padEnd(width)}  ${title}`)
    }
  }
  return ok ? 0 : 1
}
