/**
 * One program as one file: what `npm run build` does to the sources. The file is a function in
 * CommonJS, which starts sooner than a module (docs/decisions/0014-release-bundle.md), and is run
 * by packaging/boot.cjs.
 */
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { type OutputOptions, type Plugin, rolldown } from 'rolldown'

const home = dirname(import.meta.dirname)
const sources = join(home, 'src')

/**
 * The commands of `picket`, the actions of the agents, and what they load when it is called for:
 * each a file of its own, so that little is read which is not run. A piece has classes of its own:
 * no error that leaves it may be told by its class.
 */
export const pieces = [
  ...new Set(globSync('{agent,cli}/*.ts', { cwd: sources }).sort().flatMap(loadedBy)),
]

function loadedBy(path: string): readonly string[] {
  const loads = readFileSync(join(sources, path), 'utf8').matchAll(/import\('\.\/([\w-]+)\.ts'\)/g)
  return [...loads].map(([, name]) => `${dirname(path)}/${name}`)
}

/** Those that a program loads: they lie in its folder. */
const piecesOf = (program: string): readonly string[] =>
  pieces.filter((piece) => dirname(piece) === dirname(program))

const output: OutputOptions = {
  format: 'cjs',
  codeSplitting: false,
  comments: false,
  // Lines and names stay, for the stack traces in reports of defects. V8 keeps a text that is all
  // ASCII in half the memory.
  minify: { compress: true, mangle: false, codegen: { removeWhitespace: false, asciiOnly: true } },
}

/** Writes a program of `src` to the same place in `lib`; the name of its file there. */
export async function bundle(program: string, lib: string): Promise<string> {
  const bundled = await rolldown({
    input: join(sources, `${program}.ts`),
    cwd: home,
    platform: 'node',
    external: ['koffi'],
    plugins: [apart(program), places, calls, whenUsed],
    treeshake: { moduleSideEffects: (id) => !/\/node_modules\/(zod|yaml)\//.test(id) },
  })
  const { output: made } = await bundled.generate(output)
  const [{ code }] = made
  if (made.length !== 1) throw new Error(`${program} came out as ${made.length} files`)
  // It is read as if every byte were a character.
  if (Buffer.byteLength(code) !== code.length) throw new Error(`${program} holds more than ASCII`)
  if (/\bperformance\.(?!now\()/.test(code)) throw new Error(`${program} measures performance`)
  return write(program, lib, code)
}

function write(program: string, lib: string, code: string): string {
  const text = `(function (exports, require, module, __filename, __dirname) {${code}\n})`
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 12)
  const folder = join(lib, dirname(program))
  const name = `${basename(program)}-${digest}`
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${name}.bundle`), text)
  return name
}

/** Writes what Node.js is started with, or a thread: it names the bundle, and its pieces. */
export function writeStart(program: string, lib: string, names: ReadonlyMap<string, string>): void {
  const own = program.endsWith('/main') ? piecesOf(program) : []
  const loads = own.map((piece) => [`./${basename(piece)}.js`, names.get(piece)])
  const values = [names.get(program), Object.fromEntries(loads)]
  const words = values.map((value) => JSON.stringify(value, undefined, 2)).join(', ')
  writeFileSync(join(lib, `${program}.js`), `require('../boot.cjs')(module, require, ${words})\n`)
}

/** Leaves a piece of this program outside where it is loaded when it is called for. */
const apart = (program: string): Plugin => ({
  name: 'apart',
  resolveId(source, importer, { kind }) {
    if (kind !== 'dynamic-import' || importer === undefined) return undefined
    const piece = relative(sources, join(dirname(importer), source)).replace(/\.ts$/, '')
    return piecesOf(program).includes(piece) ? { id: source, external: true } : undefined
  },
})

/**
 * A module asks where it lies by `import.meta`. In a bundle that is still its place below `src`,
 * seen from the program: all programs lie one folder below `lib`, like all who ask.
 */
const places: Plugin = {
  name: 'places',
  transform(code, id) {
    if (!id.startsWith(sources) || !code.includes('import.meta.')) return undefined
    const place = relative(sources, id).replace(/\.ts$/, '.js')
    const path = `require('node:path').join(__dirname, '..', ${JSON.stringify(place)})`
    return code
      .replaceAll('import.meta.main', 'require.main === module')
      .replaceAll('import.meta.url', `require('node:url').pathToFileURL(${path}).href`)
      .replaceAll('import.meta.dirname', `require('node:path').dirname(${path})`)
  },
}

/** What stays outside of a bundle is called with `require`, also where that waits for a use. */
const calls: Plugin = {
  name: 'calls',
  renderChunk: (code) => {
    const later = (what: string) => `Promise.resolve().then(() => ${what})`
    return code
      .replaceAll('import("koffi")', later('({ default: require("koffi") })'))
      .replaceAll(/import\("(\.\/[\w-]+)\.ts"\)/g, later('require("$1.js")'))
  },
}

/**
 * Loads what Node.js and koffi bring with the first use of something in it: `https` alone takes
 * longer than all of our own code, and no IPMI device needs it.
 */
const whenUsed: Plugin = {
  name: 'when-used',
  renderChunk(code) {
    const head = /^let (\w+) = (require\("[\w:/]+"\));$(?:\n\1 = __toESM\(\1, 1\);$)?/gm
    const deferred = code.replace(head, 'let $1 = __whenUsed(() => $2);')
    return `${whenUsedHelper}\n${deferred}`
  },
}

/**
 * Stands before the code. The `performance` of Node.js brings all that it can measure with it; the
 * clock that it reads is in every process already, and nothing else of it is used.
 */
const whenUsedHelper = `const performance = { now: () => {
	const [s, ns] = process.hrtime()
	return s * 1e3 + ns / 1e6
} }
function __whenUsed(load) {
	let loaded
	const get = (_, name) => {
		loaded ??= load()
		return name === 'default' ? loaded : loaded[name]
	}
	return new Proxy({}, { get })
}`
