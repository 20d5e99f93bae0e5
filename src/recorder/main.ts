/** Starts `fence_recorder`: the name under which it was called says which of its two it is. */
import { readAll, runAgent } from './agent.ts'

/** A launcher passes the name on, for by then it is another program that was called. */
const name = process.env.PICKET_AGENT ?? process.argv[1] ?? ''

void runAgent({
  name,
  args: process.argv.slice(2),
  env: process.env,
  input: () => readAll(process.stdin),
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
}).then((code) => {
  process.exitCode = code
})
