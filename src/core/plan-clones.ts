/**
 * Which instances a clone has that may not be on all of its nodes at once: those that no check
 * speaks against, then those that are up, then the ones with the most points, then the first ones
 * in its list. Where none of these is on a node
 * on which as many can be that must run beside the clone, or to which an operator has moved them,
 * the last one gives its place away. So one that is out of the question leaves its place to another
 * node, and nothing moves for nothing.
 */

import { type Choice, choiceOf, compare, isWell, meritOf } from './choice.ts'
import type { ResourceConfig } from './model.ts'
import { type Place, type Work, whyNotThere, whyNotYet } from './plan.ts'

interface Candidate {
  readonly instance: ResourceConfig
  /** What it is chosen by, compared from left to right. */
  readonly rank: readonly number[]
  /** What it does for those that follow the clone wherever an instance is. */
  readonly draw: readonly number[]
}

/** A place for each instance of one clone. All of them wait for the same, and come together. */
export function chooseInstances(
  work: Work,
  instances: readonly ResourceConfig[],
): readonly (readonly [ResourceConfig, Place])[] {
  const reasons = new Map<ResourceConfig, string>()
  const candidates: Candidate[] = []
  for (const [index, instance] of instances.entries()) {
    const node = nodeOf(instance)
    const choice = choiceOf(work, instance)
    const why = whyNotYet(work, instance) || whyNotThere(work, choice, node)
    if (why === '') candidates.push(candidateFor(work, choice, index))
    else reasons.set(instance, why)
  }
  const chosen = choose(candidates, instances[0]?.clone?.max ?? 0)
  const there = chosen.map(({ instance }) => nodeOf(instance)).join(', ')
  return instances.map((instance) => {
    const node = nodeOf(instance)
    const own = { canStay: false, elsewhere: {} }
    if (chosen.some((each) => each.instance === instance)) {
      const isNow = work.facts.now(instance) === node
      const because = isNow
        ? 'it runs there already'
        : 'of the nodes of its clone it is among the best'
      return [instance, { ...own, node, because, canStay: isNow }]
    }
    const { clone } = instance
    const enough = `${clone?.id} runs on at most ${clone?.max} nodes at once, now on ${there}`
    const ails = chosen.some((each) => !ailsAt(work, each.instance))
      ? work.facts.ails(instance, node)
      : ''
    const because = reasons.get(instance) ?? (ails || enough)
    return [instance, { ...own, node: undefined, because, elsewhere: { [node]: because } }]
  })
}

/** Does a check speak against its only node? */
const ailsAt = ({ facts }: Work, instance: ResourceConfig): boolean =>
  facts.ails(instance, nodeOf(instance)) !== ''

/** An instance has one node. */
const nodeOf = ({ nodes }: ResourceConfig): string => nodes[0] ?? ''

function candidateFor(work: Work, choice: Choice, index: number): Candidate {
  const { resource: instance, followers } = choice
  const node = nodeOf(instance)
  const [able, moved, , ...rest] = meritOf(work, choice, node, index)
  const own = ailsAt(work, instance) ? 0 : 1
  // Instances of other clones can only be here; whoever else follows needs one node of them all.
  const bound = followers.filter((each) => each.clone && isWell(work, each, node)).length
  return { instance, rank: [own + bound, ...rest], draw: [able - own - bound, moved] }
}

function choose(candidates: readonly Candidate[], max: number): readonly Candidate[] {
  const ranked = candidates.toSorted((a, b) => compare(b.rank, a.rank))
  const first = ranked.slice(0, max)
  const [strongest] = ranked.toSorted((a, b) => compare(b.draw, a.draw))
  if (strongest === undefined) return first
  if (first.some(({ draw }) => compare(draw, strongest.draw) >= 0)) return first
  return [...first.slice(0, -1), strongest]
}
