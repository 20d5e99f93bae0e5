/** Mutants of who may be fenced, by whom, and what counts as proof. */
import type { Mutant } from '../mutant.ts'

export const fencingMutants: readonly Mutant[] = [
  {
    name: 'accepted-is-off',
    rule: 'P3',
    file: 'core/fencing.ts',
    find: `  // Also an accepted command may be carried out later, until it is proven done.`,
    replace: `  if (outcome === 'accepted') return proven(turn, fencing)`,
    because: 'a device that says yes and does nothing fences nobody',
  },
  {
    name: 'unknown-is-off',
    rule: 'P3',
    file: 'core/fencing.ts',
    find: '  if (power !== wanted) {',
    replace: `  if (power !== wanted && power !== 'unknown') {`,
    because: 'a device that cannot tell proves a node dead',
  },
  {
    name: 'one-read-is-enough',
    rule: 'P5',
    file: 'core/fencing.ts',
    find: `if (once.reads >= (fencing.action === 'on' ? 1 : 2))`,
    replace: 'if (once.reads >= 1)',
    because: 'a single reading, perhaps on the way down or up again, counts as proof',
  },
  {
    name: 'late-answer-counts',
    rule: 'P3',
    file: 'core/round.ts',
    find: 'find((fencing) => fencing.asked?.id === id)',
    replace: 'find((fencing) => fencing.asked !== undefined)',
    because: 'an answer to a question of long ago answers the present one',
    swarm: 'late-replies',
  },
  {
    name: 'first-device-is-enough',
    rule: 'P5',
    file: 'core/fencing.ts',
    find: '  if (fencing.device + 1 < level.devices.length) {',
    replace: '  if (fencing.device + 1 < 0) {',
    because: 'a node with two power feeds runs on by the second',
  },
  {
    name: 'second-level-first',
    rule: 'P5',
    file: 'core/fencing.ts',
    find: `    level: 0,
    device: 0,
    confirmFirst`,
    replace: `    level: 1,
    device: 0,
    confirmFirst`,
    because: 'levels are not tried in order',
  },
  {
    name: 'silence-not-awaited',
    rule: 'P3',
    file: 'core/round.ts',
    find: `  if (level === undefined || !level.verify || fencing.action === 'on') return false`,
    replace: '  if (level !== undefined) return false',
    because: 'a device that lies is believed although the node still answers',
    swarm: 'lying-devices',
  },
  {
    name: 'authority-not-looked-at-again',
    rule: 'S14',
    file: 'core/effect.ts',
    find: `    now.quorate &&
    now.ring.rep === press.ring.rep &&
    now.ring.seq === press.ring.seq &&
    now.nowMs <= press.notAfterMs`,
    replace: '    now.nowMs >= 0 && press.notAfterMs >= 0',
    because: 'a stalled daemon presses after its ring is lost',
    swarm: 'stalled-hands',
  },
  {
    name: 'echo-not-awaited',
    rule: 'S14',
    file: 'core/state.ts',
    find: 'return nowMs - state.echoMs <= state.config.timing.echoMs',
    replace: 'return nowMs >= 0',
    also: {
      file: 'core/fencing.ts',
      find: 'notAfterMs: state.echoMs + state.config.timing.echoMs,',
      replace: 'notAfterMs: nowMs + state.config.timing.echoMs,',
    },
    because: 'a thawed daemon decides on what it knew before it froze',
    swarm: 'drowsy-daemons',
  },
  {
    name: 'foreign-clock',
    rule: 'S12',
    file: 'core/session.ts',
    find: 'setSession(turn, { heardMs: { ...heardMs, [from]: turn.nowMs } })',
    replace: `const heard = message.say === 'report' ? message.report.sentMs : turn.nowMs
  setSession(turn, { heardMs: { ...heardMs, [from]: heard } })`,
    because: 'an instant of another machine is compared with the own clock',
  },
  {
    name: 'whose-device-not-asked',
    rule: 'S15',
    file: 'core/round.ts',
    find: `return expected === '' || sameHardware(expected, identity)`,
    replace: 'return identity.length >= 0',
    because: 'with two cables swapped, the wrong node is shot and the right one believed dead',
    swarm: 'swapped-cables',
  },
  {
    name: 'late-commands-forgotten',
    rule: 'S13',
    file: 'core/verdicts.ts',
    find: 'const late = entry.late || dangling.length > 0',
    replace: 'const late = dangling.length < 0',
    because: 'an off of a former owner lands after the node serves again',
    swarm: 'late-commands',
  },
  {
    name: 'fence-beside-the-coordinator',
    rule: 'S21',
    file: 'core/orders.ts',
    find: '  request(turn, accepted)\n}',
    replace: `  request(turn, accepted)
  const [device] = turn.state.config.nodes.find(({ id }) => id === target).levels[0]?.devices ?? []
  const { group, nextId } = turn.state
  if (action === 'on' || device === undefined || group === undefined) return
  set(turn, { nextId: nextId + 1 })
  const press = { do: 'press', id: nextId, device, target, action: 'off', fencing: id }
  turn.effects.push({ ...press, ring: group.ring, notAfterMs: Infinity, timeoutMs: 5_000 })
}`,
    also: {
      file: 'core/round.ts',
      find: 'return fencings[press.target]?.asked?.id === press.id',
      replace: 'return fencings !== undefined && press.id > 0',
    },
    because: 'an order is carried out on the spot, beside the one that decides',
  },
  {
    name: 'press-without-quorum',
    rule: 'P2',
    file: 'core/effect.ts',
    find: '    now.quorate &&\n',
    replace: '',
    because: 'quorum is lost within the ring, and the hands press what was decided before',
    swarm: 'fickle-quorum',
  },
  {
    name: 'fingers-not-asked',
    rule: 'S13',
    file: 'core/coordinator.ts',
    find: "session.reports[node]?.pressing.includes(target) ? 'on the button' : 'let go'",
    replace: "session.reports[node] ? 'let go' : 'let go'",
    because: 'a former owner lives on, and with it the command that it has sent',
    swarm: 'late-orders',
    scenario: 'late-command-of-another-fencing',
  },
  {
    name: 'on-overtakes-off',
    rule: 'S13',
    file: 'core/orders.ts',
    find: '      return entry.late\n',
    replace: '      return entry.late && target === undefined\n',
    because: "an operator's on overtakes an off that is still under way",
    swarm: 'late-orders',
  },
  {
    name: 'never-try-again',
    rule: 'P6',
    file: 'core/coordinator.ts',
    find: 'if (failedMs < gapMs && !healed',
    replace: 'if (failedMs < Infinity || !healed',
    because: 'a fencing that failed once is never tried again',
  },
  {
    name: 'press-blindly-again',
    rule: 'P10',
    file: 'core/coordinator.ts',
    find: 'confirmFirst: round > 1 || (record?.dangling.length ?? 0) > 0 || !entry.seen,',
    replace: 'confirmFirst: false,',
    because: 'after a crash the button is pressed again without a look',
  },
]
