/** `picket import`: from what fenced the nodes before to a config and a secrets file. */
import { resolve } from 'node:path'
import { problemText } from '../config/problem.ts'
import { didYouMean } from '../config/suggest.ts'
import type { Draft } from '../porting/draft.ts'
import { defineCommand, type ExitCode, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

const sources = ['stonith-nodes', 'pacemaker']

export const command = defineCommand({
  name: 'import',
  words: ['stonith-nodes|pacemaker', '[FILE]'],
  about: `stonith-nodes: reads the inventory FILE, YAML or JSON, with the nodes below stonith_nodes,
each with method (ipmi, kasa, tasmota, esphome, http), ip, user, password and switch_name.
pacemaker: reads the stonith devices, fencing levels and delays of a cluster, from the CIB in --cib
or from the cluster that runs here (cibadmin -Q). Reads nothing else, and changes no cluster.

Writes config.yaml and fence-secrets.yaml (0600) into the directory of --out, and writes over
nothing. What has no place in them is said, and kept in them as a comment.

Exit codes: 0 all of it was carried over; 1 the files are written, and something of it has to be
seen to (the lines with !); 2 wrong usage, or the input cannot be read; 3 there are such files.`,
  flags: {
    cib: { title: 'With pacemaker: the CIB in this file', value: 'FILE' },
    secrets: { title: "With pacemaker: the directory of Pacemaker's CIB secrets", value: 'DIR' },
    out: { title: 'Where to write; picket-import when left out', value: 'DIR' },
  },
  async run(
    { words: [from = '', file], flags: { cib, secrets, out = 'picket-import' } },
    terminal,
  ) {
    if (!sources.includes(from)) {
      throw new UsageError(`nothing is imported from "${from}".${didYouMean(from, sources)}`)
    }
    const { whyNotInto } = await import('../porting/files.ts')
    if (from === 'stonith-nodes') {
      if (file === undefined) throw new UsageError('FILE is missing.')
      if (cib !== undefined || secrets !== undefined) {
        throw new UsageError('--cib and --secrets belong to pacemaker, not to stonith-nodes.')
      }
    } else if (file !== undefined) {
      throw new UsageError(`pacemaker reads no FILE: write --cib ${file}.`)
    }
    const directory = resolve(out)
    const there = whyNotInto(directory)
    if (there !== undefined) {
      terminal.err(there)
      return 3
    }
    const { readInventory, readCluster } = await import('../porting/sources.ts')
    const result =
      from === 'stonith-nodes'
        ? await readInventory(file ?? '')
        : await terminal.during('reading the CIB', readCluster({ cib, secrets }))
    if (!result.ok) {
      for (const problem of result.problems) terminal.err(problemText(problem))
      terminal.err('Nothing was written.')
      return 2
    }
    return await write(directory, result.draft, result.file, terminal)
  },
})

async function write(
  directory: string,
  draft: Draft,
  file: string,
  { out, err }: Terminal,
): Promise<ExitCode> {
  const { writeDraft } = await import('../porting/files.ts')
  const { loadConfig } = await import('../config/load.ts')
  const { levelLines } = await import('../config/show.ts')
  for (const { lost, line, text } of draft.remarks) {
    err(problemText({ file, line, column: 1, message: `${lost ? '! ' : ''}${text}` }))
  }
  const written = writeDraft(directory, draft)
  const loaded = await loadConfig(written.config, { env: {} })
  if (!loaded.ok) for (const problem of loaded.problems) err(problemText(problem))
  const lines = loaded.ok ? levelLines(loaded.loaded) : []
  for (const { name } of draft.nodes) {
    const own = lines.filter(({ node }) => node === name)
    out(own.length === 0 ? `${name}: no step` : name)
    for (const { number, text } of own) out(`  level ${number}: ${text}`)
  }
  const lost = draft.remarks.filter((each) => each.lost).length
  out(`\nWritten: ${written.config} and ${written.secrets} (0600).`)
  if (lost > 0) out(`To be seen to: ${lost}, the lines with ! above; they stand in the config too.`)
  out(`Next: picket config check ${written.config}`)
  return loaded.ok && lost === 0 ? 0 : 1
}
