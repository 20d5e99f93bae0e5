import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bounded, factBytesMax } from '../../src/audit/bound.ts'
import {
  chained,
  type Fact,
  type Facts,
  type Link,
  origin,
  readLine,
  sha256,
  walk,
} from '../../src/audit/chain.ts'

const runs = { numRuns: 300 }
const facts = fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue(), { maxKeys: 4 })

/** A chain of some lines, and its head. */
const chains = fc.array(facts, { minLength: 3, maxLength: 12 }).map(chainOf)

interface Chain {
  readonly lines: readonly string[]
  readonly head: Link
}

function chainOf(list: readonly object[]): Chain {
  let head = origin
  const lines = list.map((each, index) => {
    const entry = { at: `2026-01-01T00:00:0${index % 10}Z`, node: 'a', kind: 'test' }
    const next = chained(head, { ...entry, facts: each as Facts })
    head = next.link
    return next.text
  })
  return { lines, head }
}

function walked(lines: readonly (string | Buffer)[], head: Link | undefined) {
  const walking = walk(head)
  for (const [index, line] of lines.entries()) {
    walking.take({ file: 'audit.jsonl', line: index + 1 }, Buffer.from(line))
  }
  return walking.end()
}

/** A chain and the index of one of its lines. */
const chosen = chains.chain((chain) =>
  fc.tuple(fc.constant(chain), fc.nat(chain.lines.length - 1), fc.nat()),
)

test('a chain that nobody touched is whole, also behind an older head', () => {
  fc.assert(
    fc.property(chosen, ([{ lines, head }, index]) => {
      assert.deepEqual(walked(lines, head), {
        lines: lines.length,
        last: head,
        finding: undefined,
        met: true,
      })
      const older = { seq: index + 1, hash: sha256(lines[index]!) }
      assert.equal(walked(lines, older).finding, undefined)
    }),
    runs,
  )
})

test('F13 one changed byte is found, in the line where it is', () => {
  fc.assert(
    fc.property(chosen, fc.nat({ max: 255 }), ([{ lines, head }, index, at], byte) => {
      const bytes = Buffer.from(lines[index]!)
      const where = at % bytes.length
      fc.pre(bytes[where] !== byte && byte !== 10)
      bytes[where] = byte
      const found = walked([...lines.slice(0, index), bytes, ...lines.slice(index + 1)], head)
      assert.equal(found.finding?.line, index + 1)
      assert.match(found.finding?.fault ?? '', /^(edited|unreadable)$/)
    }),
    runs,
  )
})

test('F13 a line that was written anew with a right hash of its own is found, the last too', () => {
  fc.assert(
    fc.property(chosen, ([{ lines, head }, index]) => {
      const read = readLine(Buffer.from(lines[index]!))
      assert.ok(read.ok)
      const before = { seq: read.line.seq - 1, hash: read.line.prev }
      const forged = chained(before, { ...read.line, kind: 'forged' }).text
      const { finding } = walked(lines.with(index, forged), head)
      assert.deepEqual([finding?.line, finding?.fault], [index + 1, 'edited'])
      // The same with another line before it than there was.
      const untied = chained({ ...before, hash: sha256('x') }, read.line).text
      assert.equal(walked(lines.with(index, untied), head).finding?.line, index + 1)
    }),
    runs,
  )
})

test('F13 all lines written anew from one on: the head tells', () => {
  fc.assert(
    fc.property(chosen, ([{ lines, head }, index]) => {
      const forged = chainOf(lines.map((_, at) => ({ at, forged: at >= index })))
      const { finding } = walked(forged.lines, head)
      assert.deepEqual([finding?.line, finding?.fault], [lines.length, 'edited'])
    }),
    runs,
  )
})

test('F13 a removed line is found where it is missing, the last by the head', () => {
  fc.assert(
    fc.property(chosen, ([{ lines, head }, index]) => {
      const { finding } = walked(lines.toSpliced(index, 1), head)
      const isLast = index === lines.length - 1
      assert.equal(finding?.fault, isLast ? 'cut off' : 'removed')
      assert.equal(finding?.line, isLast ? index : index + 1)
    }),
    runs,
  )
})

test('F13 a tail that was cut off is found behind the last line that is left', () => {
  fc.assert(
    fc.property(chosen, ([{ lines, head }, index]) => {
      const { finding } = walked(lines.slice(0, index), head)
      assert.deepEqual([finding?.line, finding?.fault], [index, 'cut off'])
      assert.match(finding?.because ?? '', new RegExp(`the head counts ${lines.length} lines`))
      assert.equal(walked(lines, undefined).finding?.fault, 'unproven')
    }),
    runs,
  )
})

test('F13 lines in another order are found at the first one that is not in its place', () => {
  fc.assert(
    fc.property(chosen, ([{ lines, head }, from, seed]) => {
      const to = seed % lines.length
      fc.pre(from !== to)
      const moved = lines.toSpliced(from, 1).toSpliced(to, 0, lines[from]!)
      const { finding } = walked(moved, head)
      // Where the first line is not the first any more, only the numbers before it can be told.
      const fault = Math.min(from, to) === 0 ? /^(reordered|removed)$/ : /^reordered$/
      assert.match(finding?.fault ?? '', fault)
      assert.equal(finding?.line, Math.min(from, to) + 1)
    }),
    runs,
  )
})

test('F13 a line that was put in is found, a copy as well as a forged one', () => {
  fc.assert(
    fc.property(chosen, ([{ lines, head }, index, seed]) => {
      const to = index + 1 + (seed % (lines.length - index))
      const copy = walked(lines.toSpliced(to, 0, lines[index]!), head).finding
      assert.deepEqual([copy?.line, copy?.fault], [to + 1, 'inserted'])
      const read = readLine(Buffer.from(lines[index]!))
      assert.ok(read.ok)
      const forged = chained(read.link, { ...read.line, kind: 'forged' }).text
      const found = walked(lines.toSpliced(index + 1, 0, forged), head).finding
      // Behind the last line the head does not cover it: so does a crash.
      if (index === lines.length - 1) assert.equal(found, undefined)
      else assert.deepEqual([found?.line, found?.fault], [index + 2, 'inserted'])
    }),
    runs,
  )
})

test('lines that are gone from the beginning have to be told as dropped by the chain', () => {
  const { lines } = chainOf([{}, {}])
  const second = { seq: 2, hash: sha256(lines[1]!) }
  const entry = { at: '2026-01-01T00:00:00Z', node: 'a' }
  const facts = { through: 2, hash: second.hash }
  const third = chained(second, { ...entry, kind: 'test', facts: {} })
  const fourth = chained(third.link, { ...entry, kind: 'dropped', facts })
  assert.equal(walked([third.text, fourth.text], fourth.link).finding, undefined)
  const { finding } = walked([third.text], third.link)
  assert.deepEqual([finding?.line, finding?.fault], [1, 'removed'])
  assert.match(finding?.because ?? '', /lines 1 to 2 are missing/)
  assert.equal(walked([fourth.text], fourth.link).finding?.fault, 'removed')
})

test('whatever stands in a line, reading it does not throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), fc.json().map(Buffer.from)), (bytes) => {
      const read = readLine(bytes)
      assert.equal(read.ok, false)
    }),
    runs,
  )
  assert.equal(readLine(undefined).ok, false)
})

test('facts are cleaned, flattened and cut, so that every line has a bound', () => {
  const clean = (text: string) => text.replaceAll('s3cret', '*****')
  const kept = bounded({ text: 'the s3cret\nof\u2028it', list: ['s3cret'], at: 7 }, clean)
  assert.deepEqual(kept, { text: 'the ***** of it', list: ['*****'], at: 7 })
  const long = bounded({ text: 'x'.repeat(5_000) }, clean).text as string
  assert.ok(long.length < 1_100 && long.endsWith(' …'))
  fc.assert(
    fc.property(facts, fc.nat({ max: 200 }), (small, count) => {
      const evidence = Array.from({ length: count }, () => ({
        ...small,
        raw: '\u{1f525}'.repeat(999),
      }))
      const large = { ...(small as Record<string, Fact>), evidence: evidence as Fact }
      const size = Buffer.byteLength(JSON.stringify(bounded(large, clean)))
      assert.ok(size <= factBytesMax, `${size} bytes`)
    }),
    { numRuns: 50 },
  )
})
