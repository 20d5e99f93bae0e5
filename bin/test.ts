/**
 * Runs every test and ends with one summary. First those that need nothing but Node.js, side by
 * side; then those in test/real, each of which runs a cluster of its own: two files at once, for a
 * cluster mostly waits; at last one by one those that measure what a busy machine would falsify.
 *
 * `test.ts unit` leaves out what is in test/real; any other words are files to run instead of all.
 */
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { relative, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

const fileMs = 600_000
const home = resolve(import.meta.dirname, '..')
const counts = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo', 'duration_ms']

const words = process.argv.slice(2)
const onlyUnit = words[0] === 'unit'
const all = globSync('test/**/*.test.ts', { cwd: home }).sort()
const wanted = words.length === 0 || onlyUnit ? all : words
const isReal = (file: string) => /(^|\/)test\/real\//.test(file)
/** They flood or starve a ring, time what they see, or emulate a whole machine. */
const alone = new Set(
  [
    ...['corosync', 'corosync-trouble', 'network-faults', 'soak'],
    ...['starts', 'stories', 'systemd', 'watchdog'],
  ].map((name) => `test/real/${name}.test.ts`),
)
const real = onlyUnit ? [] : wanted.filter(isReal)
const parts = [
  {
    files: wanted.filter((file) => !isReal(file)),
    concurrency: Math.max(2, availableParallelism() - 1),
  },
  { files: real.filter((file) => !alone.has(file)), concurrency: 2 },
  { files: real.filter((file) => alone.has(file)), concurrency: 1 },
].filter(({ files }) => files.length > 0)

if (parts.length === 0) {
  console.error('test.ts: there are no test files.')
  process.exit(1)
}
// Red until every part has said that it is green.
process.exitCode = 1
Readable.from(events()).compose(new spec()).pipe(process.stdout)

/**
 * What the parts report, with their closing counts added up and their failures told at the end.
 */
async function* events() {
  const totals = new Map<string, number>()
  const spentMs = new Map<string, number>()
  let green = true
  for (const { files, concurrency } of parts) {
    for await (const event of run({ files, concurrency, cwd: home, timeout: fileMs })) {
      const count = event.type === 'test:diagnostic' ? closingCount(event.data) : undefined
      if (count !== undefined) {
        totals.set(count.name, (totals.get(count.name) ?? 0) + count.value)
      } else if (event.type === 'test:summary' && event.data.file === undefined) {
        green &&= event.data.success
      } else {
        if (event.type === 'test:pass' || event.type === 'test:fail') note(spentMs, event.data)
        yield event
      }
    }
  }
  for (const message of slowest(spentMs)) {
    yield { type: 'test:diagnostic', data: { nesting: 0, level: 'info', message } }
  }
  for (const [name, total] of totals) {
    const message = `${name} ${Math.round(total * 1000) / 1000}`
    yield { type: 'test:diagnostic', data: { nesting: 0, level: 'info', message } }
  }
  yield { type: 'test:summary', data: { success: green, file: undefined } }
  if (green) process.exitCode = 0
}

interface Over {
  readonly nesting: number
  readonly file?: string | undefined
  readonly details: { readonly duration_ms: number }
}

/** What the outermost tests of each file have taken. */
function note(spentMs: Map<string, number>, { nesting, file, details }: Over): void {
  if (nesting > 0 || file === undefined) return
  const name = relative(home, file)
  spentMs.set(name, (spentMs.get(name) ?? 0) + details.duration_ms)
}

/** Where the time goes. */
function slowest(spentMs: ReadonlyMap<string, number>): readonly string[] {
  const files = [...spentMs].sort((a, b) => b[1] - a[1]).slice(0, 12)
  return files.map(([name, ms]) => `${(ms / 1000).toFixed(0).padStart(4)} s in ${name}`)
}

/** One line of the runner's summary, e.g. `pass 12`. */
function closingCount(data: { nesting: number; message: string }) {
  const [name = '', number = '', ...rest] = data.message.split(' ')
  if (data.nesting !== 0 || rest.length > 0 || !counts.includes(name)) return undefined
  return { name, value: Number(number) }
}
