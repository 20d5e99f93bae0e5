/** H19: a witness votes and fences, and nothing is started, mended or checked on it. */
import type { Invariant, Moments } from './invariants.ts'
import type { Machine, World } from './world.ts'

export const rolePromises: readonly Invariant[] = [
  {
    id: 'H19',
    says: 'nothing starts on a witness, and no check is asked there',
    onStart: hosted,
    onCheck: asked,
  },
]

/** By the site itself, whatever the lists of the resources say. */
function isVoter({ site }: World, { id }: Machine): boolean {
  return site.config.nodes.find((node) => node.id === id)?.role === 'witness'
}

function hosted(world: World, { machine, resource }: Moments['onStart']): string | undefined {
  return isVoter(world, machine) ? `${machine.id} starts ${resource}` : undefined
}

function asked(world: World, { daemon, check }: Moments['onCheck']): string | undefined {
  const { machine } = daemon
  return isVoter(world, machine) ? `${machine.id} asks ${check}` : undefined
}
