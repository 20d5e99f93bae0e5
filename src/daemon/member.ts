/** The daemon as a member of its group: from the first event to the end that the core decides. */
import { type Audit, openAudit } from '../audit/log.ts'
import { withCorosync } from '../config/load.ts'
import { version } from '../config/version.ts'
import { type Begin, begin, deadlineMs, step } from '../core/cluster.ts'
import type { Press } from '../core/effect.ts'
import type { Heirloom } from '../core/handover.ts'
import { isAwaited } from '../core/round.ts'
import type { State } from '../core/state.ts'
import type { Corosync } from '../corosync/corosync.ts'
import { halvesMayDecide } from '../corosync/nodelist.ts'
import { hush } from '../net/hush.ts'
import { openAuditor } from './auditor.ts'
import { monotonic as clock } from './clock.ts'
import type { Parts } from './daemon.ts'
import { type Dlm, openDlm } from './dlm.ts'
import { listenForDumps } from './dumps.ts'
import { watchdogFor } from './guard.ts'
import { type Body, handsOf, within } from './hands.ts'
import { type Heads, openHeads } from './heads.ts'
import { readIdentity } from './identity.ts'
import { openJournal } from './journal.ts'
import { openPulse, watchdogMsOf } from './pulse.ts'
import { sayRing } from './ring.ts'
import { ringStatus } from './ring-status.ts'
import { type Hands, runNode } from './runner.ts'

const wrongConfig = 2
/** How long a disk may take for the last words. */
const lastWordsMs = 2_000

/** Runs the loop until the core ends it; gives the exit code. */
export async function liveAsMember(parts: Parts, corosync: Corosync): Promise<number> {
  const { loaded, log, life, store, fencings, mailbox, control } = parts
  const { self } = corosync
  if (!loaded.core.nodes.some(({ id }) => id === self)) {
    const known = loaded.core.nodes.map(({ id }) => id).join(', ')
    log.say('alarm', `This node is ${self} to Corosync, and ${loaded.file} knows only ${known}.`)
    life.end('in order')
    return wrongConfig
  }
  sayRing(corosync, log.say)
  const { watchdog, heirloom } = watchdogFor(loaded, corosync, parts)
  const beginning = beginningOf(parts, corosync, heirloom)
  const first = begin(beginning)
  const state = () => mailbox.node?.state() ?? first.state
  const journal = openJournal({ path: parts.journalPath, say: log.say, state })
  journal.begin(beginning)
  const { audit, heads } = auditFor(parts, self)
  mailbox.heads = heads
  mailbox.ring = () => ringStatus(corosync)
  const auditor = openAuditor({ audit, journal, say: log.say, state })
  auditor.begin(version(), beginning)

  const ended = Promise.withResolvers<number>()
  const awaits = (press: Press) => isAwaited(state(), press)
  const hands = handsFor(
    parts,
    corosync,
    { awaits, ...(watchdog && { watchdog }) },
    (code, because) => {
      log.say('info', `picketd ends: ${because}.`)
      auditor.end(code, because)
      mailbox.node?.stop()
      ended.resolve(code)
    },
  )
  const core = { step, deadlineMs }
  const dlm = dlmFor(parts, corosync)
  mailbox.prove = dlm.prove
  const afterStep = followUp(parts, dlm)
  mailbox.deliverTo(runNode({ core, first, hands, clock, journal: auditor, afterStep }))
  takeLeave(parts)
  const ears = earsFor(parts, corosync)

  const code = await ended.promise
  parts.notify('STOPPING=1')
  control.close()
  ears?.close()
  parts.checks.close()
  corosync.leave()
  corosync.close()
  journal.close()
  const kept = [fencings.settled(), store.settled(), audit.close(), heads.settled()]
  if (watchdog !== undefined) kept.push(watchdog.settled())
  await within(Promise.all(kept), lastWordsMs, undefined)
  life.end(code === 0 ? 'forgive' : 'in order')
  return code
}

/** The audit log, and what the members keep of each other's. */
function auditFor(
  { given, loaded, log }: Parts,
  self: string,
): { readonly audit: Audit; readonly heads: Heads } {
  const { say, clean } = log
  const dir = given.stateDir
  const audit = openAudit({
    dir,
    node: self,
    say,
    clean,
    onHead: (head, opened) => heads.own(head, opened),
  })
  const nodes = loaded.core.nodes.map(({ id }) => id)
  const heads = openHeads({ dir, self, nodes, audit, say, clock })
  return { audit, heads }
}

function beginningOf(
  { given, loaded, life, store }: Parts,
  corosync: Corosync,
  heirloom: Heirloom | undefined,
): Begin {
  const { self, nodes, options } = corosync
  const names = nodes.map(({ name }) => name)
  return {
    self,
    config: withCorosync(loaded.core, { names, halves: halvesMayDecide(options) }),
    identity: readIdentity({ runDir: given.runDir }),
    ledger: store.ledger,
    atMs: clock.nowMs(),
    ...(life.passive !== undefined && { passive: life.passive }),
    ...(heirloom !== undefined && { heirloom }),
  }
}

function handsFor(
  { log, store, devices, fencings, resources, checks, control }: Parts,
  corosync: Corosync,
  more: Pick<Body, 'awaits' | 'watchdog'>,
  exit: (code: number, because: string) => void,
): Hands {
  return handsOf({
    clock,
    corosync,
    ...more,
    store,
    device: devices.get,
    fencings,
    listen: hush,
    resources,
    checks,
    say(said) {
      log.say(said.level, said.text, said.facts)
      control.said(said)
    },
    exit,
  })
}

function dlmFor({ loaded, mailbox, log: { say } }: Parts, corosync: Corosync): Dlm {
  return openDlm({ corosync, mailbox, say, tells: loaded.details.config.fence.dlm })
}

/** Crash kernels are listened for where the config says how long they may take. */
function earsFor({ loaded, mailbox, log: { say } }: Parts, corosync: Corosync) {
  const { kdump } = loaded.details.config.fence
  if (kdump === undefined) return undefined
  const { self } = corosync
  const listed = () => corosync.nodes
  const { core: config } = loaded
  return listenForDumps({ port: kdump.port, self, config, listed, tell: mailbox.tell, say })
}

/** What is looked at after every step. */
function followUp(
  { log, notify, fencings, mailbox, control }: Parts,
  dlm: Dlm,
): (state: State) => void {
  const lag = () => mailbox.node?.lag() ?? { lastMs: 0, worstMs: 0 }
  const watchdogMs = watchdogMsOf(process.env)
  const pulse = openPulse({ clock, notify, say: log.say, lag, watchdogMs })
  return (state) => {
    fencings.keepOnly(new Set(Object.values(state.fencings).map(({ id }) => id)))
    pulse(state)
    dlm.follow(state)
    control.changed()
  }
}

function takeLeave({ leaving, mailbox }: Parts): void {
  const leave = () => mailbox.tell({ kind: 'leave' })
  if (leaving.aborted) leave()
  leaving.addEventListener('abort', leave, { once: true })
}
