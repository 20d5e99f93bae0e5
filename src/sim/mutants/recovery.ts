/** Mutants of what a few nodes may do by a person's word that the others are dead (H26). */
import type { Mutant } from '../mutant.ts'

export const recoveryMutants: readonly Mutant[] = [
  {
    name: 'not-all-survivors-are-here',
    rule: 'H26',
    file: 'core/recovery.ts',
    find: '  if (!survivors.every(({ id }) => members.includes(id))) return undefined\n',
    replace: '',
    because: 'those that are left decide without each other as soon as they are cut apart',
    scenario: 'survivors-cut-apart',
  },
  {
    name: 'written-off-and-in-the-ring',
    rule: 'H26',
    file: 'core/recovery.ts',
    find: '  if (!group.ringMembers.every((id) => members.includes(id))) return undefined\n',
    replace: '',
    because: 'a node counts as dead that is there, and whose daemon says nothing yet',
    scenario: 'written-off-and-in-the-ring',
  },
  {
    name: 'a-word-outlives-every-reboot',
    rule: 'H26',
    file: 'core/recovery.ts',
    find: '  return same && stayed ? first : undefined',
    replace: '  return same ? first : undefined',
    because: 'whoever fenced all that are left meanwhile runs what they start again',
    scenario: 'word-and-a-reboot',
  },
  {
    name: 'a-word-outlives-a-return',
    rule: 'P3',
    file: 'core/recovery.ts',
    find: '  return recovery && { ...recovery, nodes: [] }',
    replace: '  return recovery',
    because: 'a node that came back and was lost once more counts as dead',
    scenario: 'majority-lost-for-good-and-back',
  },
  {
    name: 'old-ledgers-vouch-for-new-ones',
    rule: 'S8',
    file: 'core/merge.ts',
    find: 'const vouching = hasMixedPast(members, syncs) ? 0 : members.filter(vouches).length',
    replace: 'const vouching = members.filter(vouches).length',
    because: 'a node that was given up and not wiped knows nothing of what was granted since',
    scenario: 'written-off-and-not-wiped',
  },
]
