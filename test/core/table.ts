/**
 * A cluster on a table: a few cores, one perfectly ordered wire, and hands that do at once what
 * they are told. No faults and no latency: for tests of what the core decides. Storms are in
 * src/sim.
 */
import { begin, deadlineMs, type State, step } from '../../src/core/cluster.ts'
import type { Effect } from '../../src/core/effect.ts'
import type { Event, News } from '../../src/core/event.ts'
import type { Ledger } from '../../src/core/ledger.ts'
import type { Message } from '../../src/core/message.ts'
import {
  type Config,
  type GroupMember,
  type NodeId,
  type Power,
  plainWishes,
} from '../../src/core/model.ts'

export interface Seat {
  readonly id: NodeId
  pid: number
  state: State
  readonly disk: { ledger: Ledger | undefined; full: boolean }
  readonly runs: Set<string>
  /** Why a start of a resource fails there. */
  readonly broken: Map<string, string>
  power: boolean
  /** What its devices say, where that is not the truth. */
  says: Power | undefined
  /** What each of them was last told; the power is off when all are. */
  readonly feeds: Map<string, 'on' | 'off'>
  /** Those of them that stay on, whatever they are told. */
  readonly stuck: Set<string>
  /** Do they turn everybody away who logs in? Do they never answer a command that they carry out? */
  refuses: boolean
  hangs: boolean
  /** How often the machine has booted, and whether that is all that it does. */
  boots: number
  booting: boolean
  /** What its watchdog says when it is armed, and until when it is fed. */
  dog: { ok: boolean; timeoutMs: number; detail: string }
  fed: { untilMs: number; armed: boolean }
  /** Until when its watchdog counts that it has handed over. */
  handedUntilMs?: number
}

export interface Ear {
  append(event: Event): void
  did(effects: readonly Effect[]): void
}

export const config = (change: Partial<Config> = {}): Config => {
  const ids = ['a', 'b', 'c']
  return {
    halves: false,
    cluster: 'table',
    hash: 'h1',
    nodes: ids.map((id) => ({
      id,
      levels: [{ devices: [`${id}/1/1`], verify: false }],
      addresses: [],
      priority: 0,
      capacity: {},
    })),
    resources: [
      {
        id: 'vip',
        ...plainWishes,
        thing: 'address 192.0.2.1',
        nodes: ids,
        startMs: 5_000,
        stopMs: 5_000,
        probeMs: 2_000,
        monitorEveryMs: 5_000,
      },
    ],
    checks: [],
    devices: ids.map((id) => ({
      id: `${id}/1/1`,
      driver: 'ipmi',
      isolation: 'power',
      readGapMs: 100,
      lateMs: 5_000,
      returnsMs: 0,
      timeoutMs: 2_000,
      settleMs: 3_000,
      vouches: false,
    })),
    timing: {
      beatMs: 1_000,
      echoMs: 2_500,
      silentMs: 6_000,
      strangerMs: 60_000,
      startGraceMs: 5_000,
      retryMs: 2_000,
      retryMaxMs: 20_000,
      checkEveryMs: 60_000,
      coolDownMs: 20_000,
      stopAttemptsMax: 3,
      leaveMs: 5_000,
      detachMs: 20_000,
    },
    rules: {
      delayMs: 0,
      randomDelayMs: 0,
      priorityDelayMs: 0,
      reprieveMs: 0,
      minIntervalMs: 0,
      stormMax: 100,
      stormWindowMs: 60_000,
      rejoin: 'automatic',
    },
    ...change,
  }
}

export class Table {
  nowMs = 0
  readonly seats = new Map<NodeId, Seat>()
  readonly log: string[] = []
  /** Those who are told every event of a seat, before its step, and the effects after it. */
  readonly ears = new Map<NodeId, Ear>()
  /** Checks that fail, as `node/check`. */
  readonly ailing = new Set<string>()
  /** Does the wire deliver nothing, not even to who sends? */
  mute = false
  readonly #config: Config
  #ring = 0
  readonly #wire: { to: NodeId; news: News }[] = []

  constructor(table: Config = config()) {
    this.#config = table
  }

  /** Starts a daemon on a node, on what its disk holds. */
  seat(id: NodeId, incarnation = `${id}1`, boot = `boot-${id}`, passive = ''): Seat {
    const before = this.seats.get(id)
    const disk = before?.disk ?? { ledger: undefined, full: false }
    const identity = { incarnation, boot, hardware: undefined }
    const first = begin({
      self: id,
      config: this.#config,
      identity,
      ledger: disk.ledger,
      atMs: this.nowMs,
      passive,
    })
    const seat: Seat = {
      id,
      pid: (before?.pid ?? 100) + 1,
      state: first.state,
      disk,
      runs: before?.runs ?? new Set(),
      broken: before?.broken ?? new Map(),
      power: true,
      says: undefined,
      feeds: before?.feeds ?? new Map(),
      stuck: new Set(),
      refuses: false,
      hangs: false,
      boots: before?.boots ?? 1,
      booting: false,
      dog: { ok: true, timeoutMs: 10_000, detail: 'a double' },
      fed: { untilMs: -Infinity, armed: false },
    }
    this.seats.set(id, seat)
    for (const effect of first.effects) this.#perform(seat, effect)
    this.#drain()
    return seat
  }

  /** Forms a ring of these nodes; all of them, or only some, have a daemon in the group. */
  ring(
    ids: readonly NodeId[],
    quorate = ids.length * 2 > this.#config.nodes.length,
    daemons = ids,
  ): void {
    this.#ring += 4
    const ring = { rep: 1, seq: this.#ring }
    const members: GroupMember[] = daemons.map((id) => ({ node: id, pid: this.seats.get(id)!.pid }))
    for (const id of daemons) {
      this.#wire.push({ to: id, news: { kind: 'group', ring, ringMembers: ids, members } })
      this.#wire.push({ to: id, news: { kind: 'quorum', ring, quorate } })
    }
    this.#drain()
  }

  tell(id: NodeId, news: News): void {
    this.#wire.push({ to: id, news })
    this.#drain()
  }

  /** Lets a member say something, to all in the same order. */
  post(from: NodeId, message: Message): void {
    this.#multicast(this.seats.get(from)!, message)
    this.#drain()
  }

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs
    for (;;) {
      const awake = [...this.seats.values()].filter((seat) => seat.power)
      const next = Math.min(...awake.map((seat) => deadlineMs(seat.state)))
      if (next > untilMs) break
      this.nowMs = Math.max(next, this.nowMs)
      for (const seat of awake) {
        if (deadlineMs(seat.state) <= this.nowMs) this.tell(seat.id, { kind: 'tick' })
      }
    }
    this.nowMs = untilMs
  }

  #drain(): void {
    for (let next = this.#wire.shift(); next !== undefined; next = this.#wire.shift()) {
      const seat = this.seats.get(next.to)
      if (seat === undefined || !seat.power) continue
      const ear = this.ears.get(next.to)
      const event = { ...next.news, atMs: this.nowMs }
      ear?.append(event)
      const { state, effects } = step(seat.state, event)
      seat.state = state
      ear?.did(effects)
      for (const effect of effects) this.#perform(seat, effect)
    }
  }

  #perform(seat: Seat, effect: Effect): void {
    const answer = (news: News) => this.#wire.push({ to: seat.id, news })
    switch (effect.do) {
      case 'send':
        return this.#multicast(seat, effect.message)
      case 'save':
        if (!seat.disk.full) seat.disk.ledger = effect.ledger
        answer({ kind: 'saved', id: effect.id, ok: !seat.disk.full })
        return
      case 'press': {
        const target = this.seats.get(effect.target)!
        this.say(`${seat.id} presses ${effect.action} of ${effect.device}`)
        if (target.says === undefined) {
          // Who was reset boots: its daemon is gone, and its power stays on.
          if (effect.action === 'reset') {
            target.power = false
          } else {
            target.feeds.set(effect.device, target.stuck.has(effect.device) ? 'on' : effect.action)
            const level = this.#config.nodes.find(({ id }) => id === effect.target)?.levels[0]
            target.power = (level?.devices ?? []).some((id) => target.feeds.get(id) !== 'off')
          }
          target.boots += effect.action === 'reset' ? 1 : 0
          target.booting = effect.action === 'reset'
          if (!target.power) target.runs.clear()
        }
        if (target.hangs) return
        answer({ kind: 'pressed', id: effect.id, outcome: 'accepted', detail: '' })
        return
      }
      case 'read': {
        const target = this.seats.get(effect.target)
        const on = target?.power || target?.booting ? 'on' : 'off'
        const power = target?.says ?? target?.feeds.get(effect.device) ?? on
        const device = this.#config.devices.find(({ id }) => id === effect.device)
        const boot = { boot: `boot ${target?.boots}` }
        const told = device?.isolation === 'new-boot' && power !== 'unknown' ? boot : {}
        answer({ kind: 'power', id: effect.id, power, raw: power, ...told })
        return
      }
      case 'identify':
        this.say(`${seat.id} asks ${effect.device}`)
        answer({
          kind: 'identified',
          id: effect.id,
          ...(this.seats.get(effect.target)?.refuses === true
            ? { ok: false, detail: 'the device refused our password' }
            : { ok: true, detail: 'fine' }),
        })
        return
      case 'listen':
        answer({ kind: 'heard', id: effect.id, silent: true, answered: [] })
        return
      case 'run': {
        const { id, resource, op, move } = effect
        const detail = seat.broken.get(resource) ?? ''
        if (op === 'start' && detail !== '') {
          answer({ kind: 'ran', id, resource, outcome: 'failed', detail })
          return
        }
        if (op === 'start') seat.runs.add(resource)
        if (op === 'stop') seat.runs.delete(resource)
        if (op === 'start' || op === 'stop') this.say(`${seat.id} ${op}s ${resource}`)
        if (op === 'migrate_to' || op === 'migrate_from') {
          this.say(`${seat.id} ${op} ${resource}, ${move?.source} to ${move?.target}`)
          const fails = detail !== ''
          if (op === 'migrate_to' && !fails) {
            seat.runs.delete(resource)
            this.seats.get(move?.target ?? '')?.runs.add(resource)
          }
          answer({ kind: 'ran', id, resource, outcome: fails ? 'failed' : 'done', detail })
          return
        }
        const found = seat.runs.has(resource) ? 'running' : 'stopped'
        const outcome = op === 'start' || op === 'stop' ? 'done' : found
        answer({ kind: 'ran', id, resource, outcome, detail: '' })
        return
      }
      case 'say':
        this.say(`${seat.id}: ${effect.text}`)
        return
      case 'exit':
        this.say(`${seat.id} exits: ${effect.because}`)
        return
      case 'check': {
        const { id, check } = effect
        const ok = !this.ailing.has(`${seat.id}/${check}`)
        answer({ kind: 'checked', id, check, ok, detail: ok ? 'fine' : 'no answer' })
        return
      }
      case 'arm':
        seat.fed = { untilMs: effect.untilMs, armed: true }
        answer({ kind: 'armed', id: effect.id, ...seat.dog })
        return
      case 'lease':
        seat.fed.untilMs = effect.untilMs
        return
      case 'disarm':
        seat.fed.armed = false
        this.say(`${seat.id} disarms`)
        return
      case 'handOver':
        seat.handedUntilMs = effect.untilMs
        this.say(`${seat.id} hands its watchdog over`)
        return
      case 'prepare':
        this.say(`${seat.id} makes ready for ${effect.resource}`)
        return
      case 'abort':
        return
    }
  }

  #multicast(from: Seat, message: Message): void {
    if (this.mute) return
    for (const { node, pid } of from.state.group?.members ?? []) {
      if (this.seats.get(node)?.pid !== pid) continue
      const copy = JSON.parse(JSON.stringify(message)) as Message
      this.#wire.push({
        to: node,
        news: { kind: 'message', from: from.id, pid: from.pid, message: copy },
      })
    }
  }

  say(line: string): void {
    this.log.push(`${this.nowMs} ${line}`)
  }
}
