/**
 * Starts `fence_recorder`. Its first argument is the name by which it was called: a launcher passes
 * it on (`agent/install.ts`).
 */
import { readAll, runAgent } from './agent.ts'

const [name = '', ...args] = process.argv.slice(2)

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
})
