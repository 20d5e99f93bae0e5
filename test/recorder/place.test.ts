/** What may stand in the directory that nobody of us has put there: all of it is refused. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileBytesMax } from '../../src/recorder/message.ts'
import { keep, makeOurs, openPlace, prune, put, readText } from '../../src/recorder/place.ts'
import { notRoot } from '../needs.ts'
import { site } from './site.ts'

test('directories are ours alone, and one that is not is refused', (t) => {
  const { root, place } = site(t)
  for (const dir of Object.values(place)) assert.equal(statSync(dir).mode & 0o777, 0o700)
  const open = join(root, 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  assert.throws(() => openPlace(open), /others may write to .*open/)
  const file = join(root, 'file')
  writeFileSync(file, '')
  assert.throws(() => makeOurs(file), /cannot be made|is no directory/)
  symlinkSync(place.dir, join(root, 'link'))
  assert.throws(() => makeOurs(join(root, 'link')), /is no directory/)
})

test('a directory of somebody else is refused', { skip: notRoot }, (t) => {
  const { root } = site(t)
  const dir = join(root, 'theirs')
  mkdirSync(dir, { mode: 0o700 })
  chownSync(dir, 12_345, 12_345)
  // Root may trust root and nobody else.
  assert.throws(() => openPlace(dir), /belongs to user 12345/)
})

test('a link, a pipe, one of somebody else, one without end, one that is no text', (t) => {
  const { root } = site(t)
  const at = (name: string, text = '{}') => {
    const path = join(root, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const because = (path: string) => {
    const read = readText(path)
    return read === undefined ? 'nothing' : read.ok ? 'read' : read.because
  }
  assert.equal(because(join(root, 'none')), 'nothing')
  assert.equal(because(at('good')), 'read')
  symlinkSync(at('target'), join(root, 'link'))
  assert.match(because(join(root, 'link')), /it is a link/)
  execFileSync('mkfifo', [join(root, 'fifo')])
  assert.match(because(join(root, 'fifo')), /no regular file/)
  mkdirSync(join(root, 'folder'))
  assert.match(because(join(root, 'folder')), /no regular file|EISDIR/)
  const huge = at('huge')
  truncateSync(huge, 2 ** 30)
  assert.match(because(huge), /longer than 64 KiB/)
  assert.match(because(at('long', 'x'.repeat(fileBytesMax + 1))), /longer than/)
  const latin = at('latin')
  writeFileSync(latin, Buffer.from([0x7b, 0xe4, 0x7d]))
  assert.match(because(latin), /no text in UTF-8/)
  const loose = at('loose')
  chmodSync(loose, 0o622)
  assert.match(because(loose), /others may write/)
  if (notRoot === false) {
    const theirs = at('theirs')
    chownSync(theirs, 12_345, 12_345)
    assert.match(because(theirs), /belongs to somebody else/)
  }
})

test('what is over is kept, so many of them', async (t) => {
  const { place } = site(t)
  const id = crypto.randomUUID()
  await put(place.requests, id, '{}\n')
  await put(place.responses, id, '{}\n')
  await keep(place, id)
  assert.deepEqual(readdirSync(place.requests), [])
  assert.deepEqual(readdirSync(place.kept).sort(), [`${id}.request.json`, `${id}.response.json`])
  for (let count = 0; count < 60; count++) await put(place.kept, crypto.randomUUID(), '')
  await prune(place.kept, 50)
  assert.equal(readdirSync(place.kept).length, 50)
})

test('what lies in the way of a file that is written is neither followed nor waited for', async (t) => {
  const { root, place } = site(t)
  const [one, other] = [crypto.randomUUID(), crypto.randomUUID()]
  const victim = join(root, 'victim')
  writeFileSync(victim, 'precious')
  symlinkSync(victim, join(place.responses, `${one}.json.tmp`))
  execFileSync('mkfifo', [join(place.responses, `${other}.json.tmp`)])
  await assert.rejects(put(place.responses, one, 'text'), /ELOOP/)
  await assert.rejects(put(place.responses, other, 'text'), /ENXIO/)
  assert.equal(statSync(victim).size, 'precious'.length)
})
