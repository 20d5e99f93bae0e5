/**
 * Orders of operators during a soak, given on the first node that takes them, and taken back.
 */
import { intentActions, meanings } from '../core/intents.ts'
import type { IntentStatus, Status } from '../core/status.ts'
import type { Stage } from '../demo/stage.ts'
import { exec, initOf } from '../lab/lab.ts'
import { home } from '../lab/names.ts'
import { LabError } from '../lab/run.ts'

/** Asks one node after the other until one has carried it out. */
export async function order({ lab }: Stage, words: readonly string[]): Promise<void> {
  let said = 'every node is off'
  for (const node of lab.nodes) {
    if (initOf(lab, node) === undefined) continue
    try {
      const argv = [`${home}/bin/picket`, ...words]
      const { status, stdout, stderr } = await exec(lab, node, argv, { timeoutMs: 15_000 })
      if (status === 0) return
      said = (stderr.trim() || stdout.trim()).split('\n').at(-1) ?? ''
    } catch (error) {
      // The node froze, or lost its power, while it was asked.
      said = error instanceof Error ? error.message : String(error)
    }
  }
  throw new LabError(`\`picket ${words.join(' ')}\`: ${said}`)
}

/** What is left of orders, as one node that can decide sees it: the words that take them back. */
export function leftOf(seen: readonly (Status | undefined)[]): readonly (readonly string[])[] {
  const status = seen.find((each) => each?.ready)
  if (status === undefined) return []
  const barred = status.nodes.filter((node) => node.barred).map(({ id }) => id)
  return [...barred.map((node) => ['fence', 'on', node, '--yes']), ...status.intents.map(backWords)]
}

function backWords({ kind, resource, node }: IntentStatus): readonly string[] {
  const action = intentActions.find((each) => meanings[each].kind === kind && !meanings[each].sets)
  if (action === undefined) throw new LabError(`nothing takes back what is ${kind}`)
  const { names } = meanings[action]
  const words = [names.resource ? resource : '', names.node ? node : '']
  return [action, ...words.filter((word) => word !== '')]
}
