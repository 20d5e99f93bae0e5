/** What is kept of a log elsewhere, and how a log stands to it: without a disk and a network. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chained, chainOf, type Facts, type Head, origin, readLine } from '../../src/audit/chain.ts'
import { compare } from '../../src/audit/compare.ts'
import { asideFrom, asideJson, kept, lostMax, type Word } from '../../src/audit/heads.ts'

/** A log of so many lines, and the head behind each of them. */
function log(count: number, name: string, extra?: Facts) {
  let link = origin
  let chain = ''
  const lines: string[] = []
  const heads: Head[] = []
  for (let index = 1; index <= count; index++) {
    const facts = extra && index === count ? extra : { index, name }
    const kind = extra && index === count ? 'accepted' : 'test'
    const next = chained(link, { at: '2026-01-01T00:00:00Z', node: 'a', kind, facts })
    link = next.link
    if (index === 1) chain = chainOf(link)
    lines.push(next.text)
    heads.push({ ...link, chain })
  }
  return { lines, heads, at: (seq: number) => heads[seq - 1]! }
}

/** How a log of these lines stands to these heads. */
function stands(lines: readonly string[], heads: readonly Head[], chain?: string) {
  const comparison = compare(heads)
  for (const [index, line] of lines.entries()) {
    comparison.take({ file: 'audit.jsonl', line: index + 1 }, readLine(Buffer.from(line)))
  }
  return comparison.end(chain).map(({ stand, place }) => `${stand} ${place.line}`)
}

const [own, forged, other] = [log(9, 'own'), log(9, 'own'), log(3, 'other')]

test('what grows is kept, and what goes back is not forgotten', () => {
  const first = kept(undefined, own.at(4))
  assert.deepEqual(first, { head: own.at(4), lost: [] })
  const grown = kept(first, own.at(7))
  assert.deepEqual(grown, { head: own.at(7), lost: [] })
  assert.equal(kept(grown, own.at(7)), grown)
  const cut = kept(grown, own.at(5))
  assert.deepEqual(cut, { head: own.at(7), lost: [own.at(7)] })
  assert.equal(kept(cut, own.at(6)), cut, 'it is found once')
  const later = { ...own.at(9), hash: 'f'.repeat(64) }
  assert.deepEqual(kept(cut, later), { head: later, lost: [own.at(7)] })
  const edited = { ...own.at(7), hash: 'f'.repeat(64) }
  assert.deepEqual(kept(grown, edited), { head: own.at(7), lost: [own.at(7)] })
})

test('another log takes the place of the former, whose head stays known', () => {
  const word = kept(kept(undefined, own.at(9)), other.at(1))
  assert.deepEqual(word, { head: other.at(1), lost: [own.at(9)] })
  assert.deepEqual(kept(word, other.at(3)), { head: other.at(3), lost: [own.at(9)] })
})

test('whatever a log tells, what is kept of it has a bound and never goes back in one log', () => {
  const fields = {
    chain: fc.constantFrom('a'.repeat(16), 'b'.repeat(16), 'c'.repeat(16)),
    seq: fc.integer({ min: 1, max: 20 }),
    hash: fc.constantFrom('1'.repeat(64), '2'.repeat(64)),
  }
  const told = fc.record(fields, { noNullPrototype: true })
  fc.assert(
    fc.property(fc.array(told, { maxLength: 60 }), (heads) => {
      let word: Word | undefined
      for (const head of heads) {
        const next = kept(word, head)
        assert.ok(next.lost.length <= lostMax)
        if (word && word.head.chain === next.head.chain) assert.ok(next.head.seq >= word.head.seq)
        word = next
      }
      if (word === undefined) return
      const aside = { head: word.head, kept: new Map([['a', word]]) }
      assert.deepEqual(asideFrom(JSON.parse(JSON.stringify(asideJson(aside)))), aside)
    }),
  )
})

test('F13 a log holds the heads of its own past, and of no other', () => {
  assert.deepEqual(stands(own.lines, [own.at(9), own.at(2)]), ['held 9', 'held 9'])
  assert.deepEqual(stands(own.lines.slice(0, 6), [own.at(6), own.at(7)]), ['held 6', 'cut off 6'])
  const changed = { ...own.at(4), hash: 'f'.repeat(64) }
  assert.deepEqual(stands(own.lines, [changed]), ['edited 4'])
  assert.deepEqual(stands(own.lines, [other.at(2)]), ['another log 1'])
  assert.deepEqual(forged.lines, own.lines)
})

test('a log whose beginning was dropped is told by its head', () => {
  const { chain } = own.at(1)
  const heads = [own.at(2), own.at(3), own.at(5), other.at(2)]
  const expected = ['dropped 6', 'dropped 6', 'held 6', 'another log 6']
  assert.deepEqual(stands(own.lines.slice(3), heads, chain).slice(0, 3), expected.slice(0, 3))
  assert.deepEqual(stands(own.lines.slice(3), heads, chain)[3], 'another log 1')
  assert.deepEqual(stands(own.lines.slice(3), [own.at(5)]), ['held 6'])
})

test('what an operator has accepted in the log itself is no fault of it any more', () => {
  const { chain, seq, hash } = other.at(3)
  const { lines } = log(4, 'own', { heads: [{ chain, seq, hash }] })
  assert.deepEqual(stands(lines, [other.at(3), other.at(2)]), ['accepted 4', 'another log 1'])
})

test('what is no aside is refused, whatever it is', () => {
  const head = own.at(1)
  const word = { head, lost: [] }
  const good = { head, kept: { b: word } }
  assert.ok(asideFrom(good))
  assert.ok(asideFrom({ kept: {} }))
  const many = Object.fromEntries(Array.from({ length: 257 }, (_, at) => [`n${at}`, word]))
  for (const bad of [
    ...[null, 7, 'x', [], {}, { head }, { head: null, kept: {} }, { kept: { b: head } }],
    ...[{ kept: many }, { kept: { ['n'.repeat(256)]: word } }],
    ...[-1, 0, 1.5, 1e300, '1'].map((seq) => ({ head: { ...head, seq }, kept: {} })),
    ...['', 'x'.repeat(64), 'a'.repeat(65)].map((hash) => ({ head: { ...head, hash }, kept: {} })),
    ...['', 'a'.repeat(64), 7].map((chain) => ({ head: { ...head, chain }, kept: {} })),
    { kept: { b: { head, lost: Array.from({ length: lostMax + 1 }, () => head) } } },
    { kept: { b: { head, lost: {} } } },
  ]) {
    assert.equal(asideFrom(bad), undefined, JSON.stringify(bad).slice(0, 200))
  }
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      asideFrom(value)
    }),
  )
  const proto = asideFrom(JSON.parse(`{"kept":{"__proto__":${JSON.stringify(word)}}}`))
  assert.deepEqual([...(proto?.kept.keys() ?? [])], ['__proto__'])
})
