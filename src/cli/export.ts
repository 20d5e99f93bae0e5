/** `picket export`: the script by which a cluster of Pacemaker fences with Picket's agents. */
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { defaultConfigFile } from '../config/paths.ts'
import { didYouMean } from '../config/suggest.ts'
import { defineCommand, UsageError } from './command.ts'
import { loadOrSay } from './config.ts'

const targets = ['pacemaker']
const forms = ['config', 'device'] as const

export const command = defineCommand({
  name: 'export',
  words: ['pacemaker'],
  about: `Prints a bash script that makes the stonith resources, fencing levels and location
constraints of a Pacemaker cluster with pcs, so that it fences as this configuration says. It may
run again and again, and holds no secret.

--by config: one fence_picket for each node, which uses all of its levels here; every driver and
option works, and secrets stay in the secrets file. The configuration has to be on every node.
--by device: one fence_picket_DRIVER for each device and a level for each level; passwords come
from \`picket password\`. A node that cannot be said so is done by config, and named.

Beside each of them stands a fence_picket_verify, for nodes with addresses. What has no place in
Pacemaker is told, and stands in the script as a comment.`,
  flags: {
    config: { title: `The configuration; ${defaultConfigFile} when left out`, value: 'FILE' },
    by: { title: 'config (when left out) or device', value: 'FORM' },
    out: { title: 'Write the script to this file', value: 'FILE' },
    'agent-dir': { title: 'Where the agents are; /usr/sbin when left out', value: 'DIR' },
  },
  async run({ words: [to = ''], flags }, terminal) {
    const { config = defaultConfigFile, by = 'config', out, 'agent-dir': agentDir } = flags
    if (!targets.includes(to)) {
      throw new UsageError(`nothing is exported to "${to}".${didYouMean(to, targets)}`)
    }
    const form = forms.find((each) => each === by)
    if (form === undefined) {
      throw new UsageError(`--by is config or device, not "${by}".${didYouMean(by, forms)}`)
    }
    const loaded = await loadOrSay(config, terminal)
    if (loaded === undefined) return 2
    const { planOf } = await import('../porting/plan.ts')
    const { scriptOf } = await import('../porting/script.ts')
    const plan = planOf(loaded, form, loaded.file)
    for (const remark of plan.remarks) terminal.err(`note: ${remark}.`)
    if (plan.resources.length === 0) {
      terminal.err(`${loaded.file} fences nobody: there is nothing to export.`)
      return 3
    }
    const made = `picket export pacemaker --config ${loaded.file} --by ${form}`
    const text = scriptOf({
      ...{ plan, made, config: loaded.file, agentDir: agentDir ?? '/usr/sbin' },
    })
    if (out === undefined) {
      terminal.out(text.trimEnd())
      return 0
    }
    const file = resolve(out)
    if (existsSync(file)) {
      terminal.err(`${file} is there already, and is not written over: name another one.`)
      return 3
    }
    writeFileSync(file, text, { flag: 'wx' })
    chmodSync(file, 0o755)
    const counts = `${plan.resources.length} stonith resources, ${plan.levels.length} levels`
    terminal.out(`Written: ${file} (${counts}). Read it, then, as root on one node: bash ${file}`)
    return 0
  },
})
