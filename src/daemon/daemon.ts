/**
 * One life of the daemon, from a node that is claimed and a config that is right to its end:
 * everything is opened here, in this order, and Corosync is waited for.
 */
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { adviceOn } from '../config/advice.ts'
import { builtIn } from '../config/catalog.ts'
import { type Loaded, loadConfig } from '../config/load.ts'
import { problemText } from '../config/problem.ts'
import { type Corosync, openCorosync } from '../corosync/corosync.ts'
import { type Checks, openChecks } from '../health/runner.ts'
import { openResources, type Resources } from '../resources/runner.ts'
import type { Kept } from '../watchdog/keeper.ts'
import type { Arguments } from './arguments.ts'
import { monotonic as clock } from './clock.ts'
import { type Control, openControl } from './control.ts'
import { countStart, type Life } from './crashes.ts'
import { deskOf } from './desk.ts'
import { type Devices, openDevices, secretsOfAll } from './devices.ts'
import { type Fencings, openFencings } from './fencings.ts'
import type { Log } from './log.ts'
import { type Mailbox, openMailbox } from './mailbox.ts'
import { liveAsMember } from './member.ts'
import type { Notify } from './notify.ts'
import { watchFiles } from './rereading.ts'
import { sayLinks } from './ring.ts'
import { openStore, type Store } from './store.ts'
import { waitForCorosync } from './waiting.ts'

export interface DaemonOptions {
  readonly given: Arguments
  readonly loaded: Loaded
  readonly log: Log
  readonly notify: Notify
  /** The watchdog over an upgrade. */
  readonly kept: Kept
  /** SIGTERM: stop the resources, say goodbye, go. To ask twice does not hasten it. */
  readonly leaving: AbortSignal
}

export interface Daemon {
  /** The exit code, when all is over. */
  readonly over: Promise<number>
  /** Read the secrets again. */
  reread(): Promise<void>
}

/** What a life has in its hands, before and after it has joined. */
export interface Parts extends DaemonOptions {
  readonly devices: Devices
  readonly life: Life
  readonly store: Store
  readonly fencings: Fencings
  readonly resources: Resources
  readonly checks: Checks
  readonly mailbox: Mailbox
  readonly control: Control
  readonly journalPath: string
}

/** All daemons of one Corosync cluster meet here, also those whose configs differ. */
const group = 'picket'

export function startDaemon(options: DaemonOptions): Daemon {
  const { loaded } = options
  const devices = openDevices(loaded.devices.values())
  const { promise: resources, resolve: opened } = Promise.withResolvers<Resources>()
  const reread = () => rereadSecrets(options, devices, resources)
  watchFiles(loaded.secretsFiles, () => void reread())
  return { over: live(options, devices, opened), reread }
}

async function live(
  options: DaemonOptions,
  devices: Devices,
  onResources: (resources: Resources) => void,
): Promise<number> {
  const { given, loaded, log, notify } = options
  const { stateDir, runDir } = given
  const life = countStart(runDir, Date.now())
  if (life.passive !== undefined) log.say('alarm', `${life.passive}.`)
  const store = openStore(stateDir, loaded.core.cluster, log.say)
  const fencings = openFencings(stateDir, log.clean)
  for (const { target } of fencings.unfinished) {
    const text = `A fencing of ${target} was under way here when picketd died.`
    log.say('warn', `${text} The cluster resumes it by reading the power first.`, { node: target })
  }
  const mailbox = openMailbox()
  const resources = await openSwept(options, mailbox)
  onResources(resources)
  const checks = await openChecks({
    stateDir: join(stateDir, 'checks'),
    checks: loaded.checks,
    say: (level, text) => log.say(level, text),
    onStirred: (check, because) => mailbox.tell({ kind: 'stirred', check, because }),
  })
  void sayAdvice(loaded, log)
  const journalPath = join(stateDir, 'journal.jsonl')
  const desk = deskOf({ clock, journalPath, mailbox, configFile: given.config })
  const control = await openControl({ runDir, desk })
  const opened = { life, store, fencings, resources, checks, mailbox, control, journalPath }
  const parts: Parts = { ...options, devices, ...opened }
  // With it the next start needs a third of the memory less. Node.js writes it at an end by `exit`
  // only, and ours is another one.
  flushCompileCache()
  notify('STATUS=waits for Corosync')
  const corosync = await joinGroup(parts)
  if (corosync === undefined) {
    if (options.kept.inherited !== undefined) log.say('alarm', leftCounting)
    life.end('forgive')
    return 0
  }
  return await liveAsMember(parts, corosync)
}

const leftCounting =
  'The watchdog of the picketd before counts on, and resets this machine: picketd ends before it ' +
  'has joined the cluster, and what runs here may run on.'

/** The group is joined; `undefined`: the daemon was told to leave before it was. */
async function joinGroup({ log: { say }, mailbox, leaving }: Parts): Promise<Corosync | undefined> {
  return await waitForCorosync({
    attempt: async () =>
      await openCorosync({
        group,
        onNews: mailbox.tell,
        asideOf: (message) => mailbox.heads?.asideOf(message),
        onAside: (from, aside) => mailbox.heads?.heard(from, aside),
        onLost: (because) => mailbox.tell({ kind: 'corosyncLost', because }),
        onWarning: (text) => say('warn', text),
        onLinks: sayLinks(say),
      }),
    say,
    failed: (because) => {
      mailbox.waitsFor = because
    },
    signal: leaving,
  })
}

/** The resources of this node, with what a former daemon left half done ended (S10). */
async function openSwept(options: DaemonOptions, { tell }: Mailbox): Promise<Resources> {
  const { given, loaded, log } = options
  const resources = await openResources({
    stateDir: join(given.stateDir, 'resources'),
    resources: loaded.resources,
    say: (level, text) => log.say(level, text),
    onDeath: (resource, because) => tell({ kind: 'hint', resource, because }),
  })
  for (const sentence of await resources.sweep()) log.say('warn', sentence)
  return resources
}

/** What the agents of resources say of this config: nobody waits for it. */
async function sayAdvice(loaded: Loaded, { say }: Log): Promise<void> {
  try {
    for await (const sentence of adviceOn(loaded, builtIn)) say('warn', sentence)
  } catch (error) {
    say('warn', `The agents of resources cannot be asked: ${(error as Error).message}.`)
  }
}

/** Takes new secrets, and nothing else: another config has to begin on every node anew. */
async function rereadSecrets(
  { given, loaded, log }: DaemonOptions,
  devices: Devices,
  resources: Promise<Resources>,
): Promise<void> {
  const again = await loadConfig(given.config)
  if (!again.ok) {
    for (const problem of again.problems) {
      log.say('warn', `${problemText(problem)}. The secrets are as they were.`)
    }
  } else if (again.loaded.core.hash !== loaded.core.hash) {
    const text = `${given.config} is another one now: restart picketd on every node to use it.`
    log.say('warn', `${text} The secrets are as they were.`)
  } else {
    log.hide(secretsOfAll(again.loaded))
    devices.replace(again.loaded.devices.values())
    const changed = again.loaded.resources.filter(({ id, secrets }) => {
      const before = loaded.resources.find((resource) => resource.id === id)
      return secrets.length > 0 || (before?.secrets.length ?? 0) > 0
    })
    await (await resources).renew(changed)
    log.say('info', 'The secrets were read again.')
  }
}
