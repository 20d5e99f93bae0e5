/**
 * Totem: machines that hear each other form a ring, after the token was lost or another ring was
 * noticed. A machine that is not heard, or hears nothing, ends up in a ring of its own.
 */
import { nameOf, setVerdict } from './corosync.ts'
import { announce, enqueue, flush, groupNews, type Ring, resume, settle } from './cpg.ts'
import { connected, isLive, pairOf } from './network.ts'
import type { Machine, World } from './world.ts'

/** Something about links or machines is different: look which rings are whole, and re-form soon. */
export function networkChanged(world: World): void {
  const { tokenMs } = world.site
  for (const ring of ringsOf(world)) {
    const whole = isWhole(world, ring)
    if (whole === ring.intact) continue
    ring.intact = whole
    if (whole) resume(world, ring)
  }
  requestFormation(world, tokenMs + world.lots.ring.int(0, Math.floor(tokenMs / 2)))
  seekMerges(world)
}

export function requestFormation(world: World, delayMs: number): void {
  world.after(delayMs, () => form(world))
}

/** Every ring that some Corosync is in. */
export function ringsOf(world: World): Set<Ring> {
  const rings = new Set<Ring>()
  for (const { corosync } of world.machines) if (corosync?.ring) rings.add(corosync.ring)
  return rings
}

function isWhole(world: World, ring: Ring): boolean {
  return ring.members.every(
    (a) =>
      a.corosync?.ring === ring && ring.members.every((b) => a === b || connected(world, a, b)),
  )
}

/** Rings that hear each other notice it after a while. */
function seekMerges(world: World): void {
  const { merging, attempts } = world.network
  for (const a of world.machines) {
    for (const b of world.machines) {
      if (a.nodeid >= b.nodeid || !mergeable(world, a, b)) continue
      const pair = pairOf(a, b)
      if (attempts.has(pair)) continue
      attempts.add(pair)
      world.after(world.lots.ring.int(300, 3_000), () => {
        attempts.delete(pair)
        if (!mergeable(world, a, b)) return
        merging.add(pair)
        form(world)
      })
    }
  }
}

function mergeable(world: World, a: Machine, b: Machine): boolean {
  const one = a.corosync?.ring
  return connected(world, a, b) && (one === undefined || one !== b.corosync?.ring)
}

/** Compute the rings that there are now; those that are as they were stay untouched. */
function form(world: World): void {
  const { merging } = world.network
  const changed = cliques(world).filter((clique) => !isRing(clique))
  merging.clear()
  if (changed.length === 0) return
  // The old rings are settled before any new one speaks: a cohort is judged by where all of it
  // goes.
  const formed = changed.map((members) => {
    const cohorts = cohortsOf(members)
    for (const [ring, machines] of cohorts) if (ring !== undefined) settle(world, machines)
    return { ring: makeRing(world, members), cohorts }
  })
  for (const { ring } of formed) for (const machine of ring.members) machine.corosync!.ring = ring
  for (const ring of ringsOf(world)) if (!isWhole(world, ring)) ring.intact = false
  for (const { ring, cohorts } of formed) begin(world, ring, cohorts)
  seekMerges(world)
}

function isRing(clique: readonly Machine[]): boolean {
  const ring = clique[0]!.corosync!.ring
  if (ring === undefined || ring.stale || ring.members.length !== clique.length) return false
  return clique.every(({ corosync }) => corosync!.ring === ring)
}

function cliques(world: World): Machine[][] {
  const { merging } = world.network
  const near = (a: Machine, b: Machine) =>
    connected(world, a, b) &&
    ((a.corosync!.ring !== undefined && a.corosync!.ring === b.corosync!.ring) ||
      merging.has(pairOf(a, b)))
  const left = world.lots.ring.shuffle(world.machines.filter(isLive))
  const found: Machine[][] = []
  while (left.length > 0) {
    const clique = [left.shift()!]
    const { ring } = clique[0]!.corosync!
    // Whoever shares a ring already stays together where it can.
    const rest = [...left].sort((a, b) => old(a) - old(b))
    // A storm may lose some on the way; where all is as it usually is, nobody is passed over.
    if (world.site.pace !== undefined) rest.push(...rest)
    function old(machine: Machine): number {
      return ring !== undefined && machine.corosync!.ring === ring ? 0 : 1
    }
    for (const machine of rest) {
      // A ring is noticed as a whole: one pair that has noticed each other brings both rings along.
      if (clique.includes(machine)) continue
      if (!clique.every((each) => connected(world, each, machine))) continue
      if (!clique.some((each) => near(each, machine))) continue
      clique.push(machine)
      left.splice(left.indexOf(machine), 1)
    }
    found.push(clique.sort((a, b) => a.nodeid - b.nodeid))
  }
  return found.sort((a, b) => a[0]!.nodeid - b[0]!.nodeid)
}

/** Which of them come together from which ring. */
function cohortsOf(members: readonly Machine[]): Map<Ring | undefined, Machine[]> {
  const cohorts = new Map<Ring | undefined, Machine[]>()
  for (const machine of members) {
    const { ring } = machine.corosync!
    cohorts.set(ring, [...(cohorts.get(ring) ?? []), machine])
  }
  return cohorts
}

function makeRing(world: World, members: readonly Machine[]): Ring {
  const seq = Math.max(...members.map(({ ringSeq }) => ringSeq)) + 4
  for (const machine of members) machine.ringSeq = seq
  return {
    id: { rep: members[0]!.nodeid, seq },
    members,
    bornMs: world.nowMs,
    verdict: undefined,
    intact: true,
    stale: false,
    length: 0,
    joined: [],
  }
}

function begin(world: World, ring: Ring, cohorts: Map<Ring | undefined, Machine[]>): void {
  const lot = world.lots.ring
  const joinedOf = (machines: readonly Machine[]) =>
    machines.flatMap(({ daemon }) => (daemon?.alive && daemon.joined ? [daemon] : []))
  ring.joined = joinedOf(ring.members)
  const voted = votes(world, ring)
  const word = voted === undefined ? ', verdict to come' : voted ? ' quorate' : ''
  world.say(`ring ${nameOf(ring)}${word}`)
  // Merging rings may first hear of each cohort on its own, then of all together.
  if (cohorts.size > 1 && lot.next() < 0.5) {
    for (const machines of cohorts.values()) {
      const together = joinedOf(machines)
      const news = groupNews(ring, together)
      for (const daemon of together) {
        enqueue(world, daemon, { ring, index: -1, from: undefined, news, settled: true })
      }
    }
  }
  announce(world, ring, undefined)
  if (voted === undefined) awaitDevice(world, ring)
  else setVerdict(world, ring, voted)
  for (const machine of ring.members) flush(world, machine)
}

/**
 * votequorum counts, unless exactly one half is there and a quorum device has to decide. One of two
 * nodes is enough as soon as its Corosync has seen the other (`wait_for_all`).
 */
function votes(world: World, ring: Ring): boolean | undefined {
  const size = world.machines.length
  const { qdevice, twoNode } = world.site
  const whole = ring.members.length === size
  for (const { corosync } of ring.members) if (whole && corosync) corosync.seenAll = true
  if (qdevice && ring.members.length * 2 === size) return undefined
  if (twoNode && !whole) return ring.members.every(({ corosync }) => corosync?.seenAll === true)
  // The highest number that one of them expects counts.
  const expected = ring.members.map(({ corosync }) => corosync?.expected ?? size)
  return ring.members.length * 2 > Math.max(...expected)
}

/** The device takes its time, and the loser hears of it last. */
function awaitDevice(world: World, ring: Ring): void {
  const lot = world.lots.ring
  const favoured = !halvesOf(world).some(({ id }) => id.rep < ring.id.rep)
  world.after(favoured ? lot.int(5_000, 12_000) : lot.int(9_000, 30_000), () => {
    if (!ring.members.every(({ corosync }) => corosync?.ring === ring)) return
    const taken = halvesOf(world).some((each) => each !== ring && each.intact && each.verdict)
    setVerdict(world, ring, !taken)
  })
}

function halvesOf(world: World): Ring[] {
  const size = world.machines.length
  return [...ringsOf(world)].filter((each) => each.members.length * 2 === size)
}

/** Form anew with the same members: lost packets can do that. */
export function reform(world: World, ring: Ring): void {
  ring.stale = true
  requestFormation(world, 0)
}
