/**
 * The machines behind the double of Proxmox VE: guests on nodes, what a stop really does to them,
 * and an HA manager with a mind of its own. What the API says of all this is in
 * `proxmox-double.ts`.
 */

export interface Guest {
  readonly vmid: number
  readonly type: 'qemu' | 'lxc'
  node: string
  name: string
  /** In `smbios1`; empty where there is none. */
  uuid: string
  /** The truth. */
  power: 'on' | 'off'
  /** What QEMU says of a guest that is on. */
  qmpstatus: string
  lock: string | undefined
  /** The state in the eyes of the HA manager; `undefined` for a guest that it does not manage. */
  ha: string | undefined
  /** Says this instead of `running` and `stopped`. */
  shownStatus: string | undefined
  /** How the process takes a stop. */
  process: 'dies' | 'ignores quit' | 'cannot be killed'
  /** A script that runs inside of every stop, and hangs. */
  hookHangs: boolean
}

/** How the world behind the API is disposed. */
export interface Mood {
  /** Milliseconds until a stop or start takes effect. */
  actMs: number
  /** Milliseconds that a second takes here: of timeouts, and of the rounds of the HA manager. */
  secondMs: number
  /** A stop is accepted and its task ends well, and nothing happens. */
  ignores: boolean
  /** Milliseconds after which a stopped guest is on again. */
  comesBackMs: number | undefined
}

/** `OK`, or why a task failed; a task that never ends has no outcome. */
export type Outcome = string

/** After 60 s of `quit` comes SIGTERM, after 10 s more SIGKILL; nobody looks whether it worked. */
const QUIT_S = 60
const TERM_S = 10
/** The HA manager looks around every so many seconds, and gives a lost guest up after these. */
const HA_ROUND_S = 10
const HA_RECOVERS_S = 120

export function createGuests(mood: Mood, nodes: readonly string[]) {
  const guests = new Map<number, Guest>()
  const timers = new Set<NodeJS.Timeout>()

  function later(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, ms)
    timers.add(timer)
  }

  function add(vmid: number, type: Guest['type'], node: string, changes: Partial<Guest> = {}) {
    const guest: Guest = {
      vmid,
      type,
      node,
      name: `guest-${vmid}`,
      uuid: '',
      power: 'on',
      qmpstatus: 'running',
      lock: undefined,
      ha: undefined,
      shownStatus: undefined,
      process: 'dies',
      hookHangs: false,
      ...changes,
    }
    guests.set(vmid, guest)
    return guest
  }

  function put(guest: Guest, power: 'on' | 'off'): void {
    guest.power = power
    guest.qmpstatus = 'running'
  }

  /** The stop of the node that the guest runs on; calls back when the task ends, if it does. */
  function stop(guest: Guest, skipLock: boolean, timeoutS: number, end: (how: Outcome) => void) {
    if (guest.hookHangs) return
    const kind = guest.type === 'qemu' ? 'VM' : 'CT'
    if (guest.power === 'off' && guest.type === 'qemu') return later(mood.actMs, () => end('OK'))
    if (guest.lock !== undefined && !skipLock) {
      return later(10, () => end(`${kind} is locked (${guest.lock})`))
    }
    const waits = guest.process === 'dies' ? 0 : (timeoutS + TERM_S) * mood.secondMs
    later(mood.actMs + waits, () => {
      if (!mood.ignores && guest.process !== 'cannot be killed') put(guest, 'off')
      if (mood.comesBackMs !== undefined) later(mood.comesBackMs, () => put(guest, 'on'))
      end('OK')
    })
  }

  function start(guest: Guest, skipLock: boolean, end: (how: Outcome) => void): void {
    const kind = guest.type === 'qemu' ? 'VM' : 'CT'
    if (guest.lock !== undefined && !skipLock) {
      return later(10, () => end(`${kind} is locked (${guest.lock})`))
    }
    if (guest.power === 'on') return later(10, () => end(`VM ${guest.vmid} already running`))
    later(mood.actMs, () => {
      put(guest, 'on')
      end('OK')
    })
  }

  /** The command goes to the HA manager, and that is all there is to the task. */
  function askManager(guest: Guest, wanted: 'started' | 'stopped', end: (how: Outcome) => void) {
    later(10, () => end('OK'))
    later(20, () => (guest.ha = wanted === 'stopped' ? 'request_stop' : 'request_start'))
    later(20 + HA_ROUND_S * mood.secondMs, () => {
      if (!mood.ignores) put(guest, wanted === 'started' ? 'on' : 'off')
      guest.ha = wanted
    })
  }

  /** The guest goes down without anybody having told the HA manager. */
  function die(guest: Guest): void {
    put(guest, 'off')
    if (guest.ha !== 'started') return
    later(HA_RECOVERS_S * mood.secondMs, () => {
      guest.node = nodes.find((node) => node !== guest.node) ?? guest.node
      put(guest, 'on')
    })
  }

  return {
    guests,
    add,
    put,
    stop,
    start,
    askManager,
    die,
    quitSeconds: QUIT_S,
    /** Nothing that has begun goes on. */
    halt() {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}
