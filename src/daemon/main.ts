/**
 * picketd: one process, one node. Reads its arguments and its config, makes sure that it is alone
 * on this node, and lives until the core says that everything here is stopped.
 */
import { flushCompileCache } from 'node:module'
import { adviceOn } from '../config/advice.ts'
import { builtIn } from '../config/catalog.ts'
import { type Loaded, loadConfig } from '../config/load.ts'
import { problemText } from '../config/problem.ts'
import { readKept } from '../watchdog/keeper.ts'
import { type Arguments, parseArguments, usage } from './arguments.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { secretsOfAll } from './devices.ts'
import { dieOnThrow } from './die.ts'
import { claimNode } from './instance.ts'
import { exitNow } from './libc.ts'
import { type Log, openLog, styleOf } from './log.ts'
import { openNotify } from './notify.ts'
import { takePriority } from './priority.ts'
import { otherMaster } from './strangers.ts'

const refused = 1
/**
 * By then everything is loaded. A daemon that is killed could not keep its compiled code any more.
 */
const keepCodeAfterMs = 5_000
const wrong = 2

async function main(words: readonly string[]): Promise<number> {
  const parsed = parseArguments(words)
  if (parsed.kind === 'help') {
    process.stdout.write(parsed.text)
    return 0
  }
  if (parsed.kind === 'wrong') {
    process.stderr.write(`picketd: ${parsed.because}\n\n${usage}`)
    return wrong
  }
  const { given } = parsed
  const log = openLog({ style: given.json ? 'json' : styleOf(process.env) })
  dieOnThrow(log.say)
  const loaded = await load(given, log)
  if (loaded === undefined) return wrong
  if (given.onceCheck) return await check(given, loaded, log)
  try {
    return await live(given, loaded, log)
  } catch (error) {
    // What the loop throws never comes here: it ends the process where it is thrown.
    log.say('alarm', `picketd cannot run: ${error instanceof Error ? error.message : error}.`)
    return refused
  }
}

async function load(given: Arguments, log: Log): Promise<Loaded | undefined> {
  const result = await loadConfig(given.config)
  if (result.ok) {
    log.hide(secretsOfAll(result.loaded))
    for (const warning of result.loaded.warnings) log.say('warn', warning)
    return result.loaded
  }
  for (const problem of result.problems) log.say('alarm', problemText(problem))
  const { length } = result.problems
  const faults = `${length} ${length === 1 ? 'fault' : 'faults'}`
  log.say('alarm', `picketd cannot start with ${given.config}: it has ${faults}.`)
  return undefined
}

async function check(given: Arguments, loaded: Loaded, log: Log): Promise<number> {
  const because = otherMaster()
  if (because !== undefined) log.say('alarm', because)
  for await (const sentence of adviceOn(loaded, builtIn)) log.say('warn', sentence)
  const { nodes, devices, resources } = loaded.core
  log.say(
    'info',
    `${given.config} is right: ${nodes.length} nodes, ${devices.length} fence devices, ` +
      `${resources.length} resources.`,
  )
  return because === undefined ? 0 : refused
}

async function live(given: Arguments, loaded: Loaded, log: Log): Promise<number> {
  const leaving = new AbortController()
  process.on('SIGTERM', () => leaving.abort())
  process.on('SIGINT', () => leaving.abort())
  let daemon: Daemon | undefined
  process.on('SIGHUP', () => void daemon?.reread())
  const because = otherMaster()
  if (because !== undefined) {
    log.say('alarm', because)
    return refused
  }
  const claim = claimNode([given.stateDir, given.runDir])
  if (!claim.ok) {
    log.say('alarm', `${claim.because}.`)
    return refused
  }
  takePriority(log.say)
  // For this start alone, not for the programs of resources.
  delete process.env.NODE_COMPILE_CACHE
  setTimeout(() => flushCompileCache(), keepCodeAfterMs).unref()
  const kept = readKept(process.env)
  const notify = openNotify(process.env)
  daemon = startDaemon({ given, loaded, log, notify, kept, leaving: leaving.signal })
  return await daemon.over
}

// Not `process.exit`: a worker thread that is stuck in a hung disk would keep the process alive.
void main(process.argv.slice(2)).then(exitNow)
