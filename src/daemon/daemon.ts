/**
 * One life of the daemon: from a node that is claimed and a config that is right to the end that the
 * core decides. Everything is opened here, in this order, and handed to the loop.
 */
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { type Loaded, loadConfig, withNodes } from '../config/load.ts'
import { type Begin, begin, deadlineMs, step } from '../core/cluster.ts'
import type { News } from '../core/event.ts'
import type { State } from '../core/state.ts'
import { openCorosync } from '../corosync/corosync.ts'
import { hush } from '../net/hush.ts'
import { openResources, type Resources } from '../resources/runner.ts'
import type { Arguments } from './arguments.ts'
import { monotonic as clock } from './clock.ts'
import { openControl } from './control.ts'
import { countStart } from './crashes.ts'
import { deskOf } from './desk.ts'
import { type Devices, openDevices, secretsIn } from './devices.ts'
import { openFencings } from './fencings.ts'
import { handsOf, within } from './hands.ts'
import { readIdentity } from './identity.ts'
import { openJournal } from './journal.ts'
import type { Log } from './log.ts'
import type { Notify } from './notify.ts'
import { openPulse, watchdogMsOf } from './pulse.ts'
import { watchFiles } from './rereading.ts'
import { sayLinks, sayRing } from './ring.ts'
import { type RunningNode, runNode } from './runner.ts'
import { openStore } from './store.ts'
import { waitForCorosync } from './waiting.ts'

export interface DaemonOptions {
  readonly given: Arguments
  readonly loaded: Loaded
  readonly log: Log
  readonly notify: Notify
  /** SIGTERM: stop the resources, say goodbye, go. To ask twice does not hasten it. */
  readonly leaving: AbortSignal
}

export interface Daemon {
  /** The exit code, when all is over. */
  readonly over: Promise<number>
  /** Read the secrets again. */
  reread(): Promise<void>
}

/** All daemons of one Corosync cluster meet here, also those whose configs differ. */
const group = 'picket'

export function startDaemon(options: DaemonOptions): Daemon {
  const { given, loaded, log } = options
  const devices = openDevices(loaded.devices.values())
  const reread = async () => {
    const again = await loadConfig(given.config)
    if (!again.ok) {
      for (const { file, line, message } of again.problems) {
        log.say('warn', `${file}:${line}: ${message}. The secrets are as they were.`)
      }
    } else if (again.loaded.core.hash !== loaded.core.hash) {
      const text = `${given.config} is another one now: restart picketd on every node to use it.`
      log.say('warn', `${text} The secrets are as they were.`)
    } else {
      log.hide(secretsIn(again.loaded.devices.values()))
      devices.replace(again.loaded.devices.values())
      log.say('info', 'The secrets were read again.')
    }
  }
  watchFiles(loaded.secretsFiles, () => void reread())
  return {
    over: live(options, devices),
    reread,
  }
}

async function live(
  { given, loaded, log, notify, leaving }: DaemonOptions,
  devices: Devices,
): Promise<number> {
  const { stateDir, runDir } = given
  const { say } = log
  const life = countStart(stateDir, Date.now())
  if (life.passive !== undefined) say('alarm', `${life.passive}.`)
  const store = openStore(stateDir, loaded.core.cluster, say)
  const fencings = openFencings(stateDir, log.clean)
  for (const { target } of fencings.unfinished) {
    const text = `A fencing of ${target} was under way here when picketd died.`
    say('warn', `${text} The cluster resumes it by reading the power first.`, { node: target })
  }
  const resources = await openSwept(given, loaded, log)

  // What Corosync says before the loop runs, in order; the loop takes it up.
  const early: News[] = []
  let node: RunningNode<State> | undefined
  const tell = (news: News) => (node ? node.tell(news) : void early.push(news))

  const journalPath = join(stateDir, 'journal.jsonl')
  const desk = deskOf({ clock, cluster: loaded.core.cluster, journalPath, node: () => node })
  const control = await openControl({ runDir, desk })
  // With it the next start needs a third of the memory less. Node.js writes it at an end by `exit`
  // only, and ours is another one.
  flushCompileCache()
  notify('STATUS=waits for Corosync')
  const corosync = await waitForCorosync({
    attempt: async () =>
      await openCorosync({
        group,
        onNews: tell,
        onLost: (because) => tell({ kind: 'corosyncLost', because }),
        onWarning: (text) => say('warn', text),
        onLinks: sayLinks(say),
      }),
    say,
    signal: leaving,
  })
  if (corosync === undefined) {
    life.end('forgive')
    return 0
  }
  const { self } = corosync
  if (!loaded.core.nodes.some(({ id }) => id === self)) {
    const known = loaded.core.nodes.map(({ id }) => id).join(', ')
    say('alarm', `This node is ${self} to Corosync, and ${loaded.file} knows only ${known}.`)
    life.end('in order')
    return 2
  }

  sayRing(corosync, say)
  const beginning: Begin = {
    self,
    config: withNodes(
      loaded.core,
      corosync.nodes.map(({ name }) => name),
    ),
    identity: readIdentity({ runDir }),
    ledger: store.ledger,
    atMs: clock.nowMs(),
    ...(life.passive !== undefined && { passive: life.passive }),
  }
  const first = begin(beginning)
  const ended = Promise.withResolvers<number>()
  const journal = openJournal({ path: journalPath, say, state: () => node?.state() ?? first.state })
  journal.begin(beginning)

  const hands = handsOf({
    clock,
    corosync,
    store,
    device: devices.get,
    fencings,
    listen: hush,
    resources,
    say(said) {
      say(said.level, said.text, said.facts)
      control.said(said)
    },
    exit(code, because) {
      say('info', `picketd ends: ${because}.`)
      node?.stop()
      ended.resolve(code)
    },
  })
  const pulse = openPulse({
    clock,
    notify,
    say,
    lag: () => node?.lag() ?? { lastMs: 0, worstMs: 0 },
    watchdogMs: watchdogMsOf(process.env),
  })
  const afterStep = (state: State) => {
    fencings.keepOnly(new Set(Object.values(state.fencings).map(({ id }) => id)))
    pulse(state)
    control.changed()
  }
  const core = { step, deadlineMs }
  node = runNode({ core, first, hands, clock, journal, afterStep })
  for (const news of early.splice(0)) node.tell(news)
  const leave = () => tell({ kind: 'leave' })
  if (leaving.aborted) leave()
  leaving.addEventListener('abort', leave, { once: true })

  const code = await ended.promise
  notify('STOPPING=1')
  control.close()
  corosync.leave()
  corosync.close()
  journal.close()
  await within(Promise.all([fencings.settled(), store.settled()]), 2_000, undefined)
  life.end(code === 0 ? 'forgive' : 'in order')
  return code
}

/** The resources of this node, with what a former daemon left half done ended (S10). */
async function openSwept(given: Arguments, loaded: Loaded, { say }: Log): Promise<Resources> {
  const resources = await openResources({
    stateDir: join(given.stateDir, 'resources'),
    resources: loaded.resources,
    say: (level, text) => say(level, text),
  })
  for (const sentence of await resources.sweep()) say('warn', sentence)
  return resources
}
