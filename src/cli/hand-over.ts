/**
 * An order that an agent or a responder hands over to the picketd of this machine: it has to be the
 * one of their configuration, for nodes of two clusters may have one name, and what a failed order
 * has proven counts.
 */
import { askOnce } from './control.ts'
import { plain } from './marks.ts'
import { statusIn } from './status.ts'

const answerMs = 2_000

/** Why it is not given to that picketd; `undefined` where it may be. Throws a ControlError. */
export async function whyNotHandedOver(path: string, cluster: string): Promise<string | undefined> {
  const found = statusIn(await askOnce(path, { do: 'status' }, answerMs))?.cluster
  if (found === undefined || found === cluster) return undefined
  const theirs = `the picketd at ${path} is of the cluster ${plain(found)}`
  return `${theirs}, and the configuration of ${cluster}: nothing was sent`
}

/** Has the cluster proven it off, and nobody seen it since? */
export async function isProvenOff(path: string, target: string): Promise<boolean> {
  const status = statusIn(await askOnce(path, { do: 'status' }))
  return status?.nodes.some(({ id, standing }) => id === target && standing === 'fenced') ?? false
}
