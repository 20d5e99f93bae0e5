/**
 * Starts `fence_recorder`. Its first argument is the name by which it was called: a launcher passes
 * it on (`agent/install.ts`).
 */
import { exitNow } from '../daemon/libc.ts'
import { readAll, runAgent } from './agent.ts'

const [name = '', ...args] = process.argv.slice(2)

/** For what is still being written when all is said. */
const lingerMs = 500

// Whether anybody listens to it is no reason to fence or not to.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

void runAgent({
  name,
  args,
  env: process.env,
  input: () => readAll(process.stdin),
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
}).then((code) => {
  process.exitCode = code
  // A disk that hangs holds a log, and shall not hold the answer.
  setTimeout(() => exitNow(code), lingerMs).unref()
})
