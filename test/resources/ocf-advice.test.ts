/** What the `ocf` type says of a config when its agents may be asked. */
import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { didYouMean } from '../../src/config/suggest.ts'
import { ocf } from '../../src/resources/ocf.ts'
import { agentName, createOcfDouble, ocfMetadata } from './ocf-double.ts'
import { makeRoom, until } from './room.ts'

const terms = { startMs: 20_000, stopMs: 20_000, probeMs: 10_000, didYouMean }

function stand(t: TestContext) {
  const room = makeRoom(t)
  const double = createOcfDouble(t, room.dir)
  const advice = async (params: object, more: object = {}, agent = agentName) =>
    await ocf.open({ agent, params, ...more }).advise?.(terms)
  return { room, double, advice }
}

test('parameters that the agent knows are not spoken of', async (t) => {
  const { advice } = stand(t)
  const all = { place: '/x', count: 4, loud: true, wait: '5s', mode: 'b' }
  assert.deepEqual(await advice(all, { secret_params: { password: 'x' } }), [])
})

test('a wrong parameter is named, with what was meant', async (t) => {
  const { advice } = stand(t)
  const wrong = { plaec: '/x', count: 'many', loud: 'very', wait: 'long', mode: 'c', other: 1 }
  const known = 'place, count, loud, wait, mode, password'
  assert.deepEqual(await advice(wrong), [
    'ocf:test:double has no parameter plaec. Did you mean place?',
    'ocf:test:double: count is no number.',
    'ocf:test:double: loud is neither 1 nor 0.',
    'ocf:test:double: wait is no span of time.',
    'ocf:test:double: mode is none of a, b.',
    `ocf:test:double has no parameter other. It has ${known}.`,
    'ocf:test:double needs place.',
  ])
})

test('a time shorter than the agent advises is named', async (t) => {
  const { double, advice } = stand(t)
  double.setMetadata(ocfMetadata('1m30s'))
  assert.deepEqual(await advice({ place: '/x' }), [
    'ocf:test:double advises 90 s for its start; timeouts.start_seconds is 20.',
    'ocf:test:double advises 90 s for its stop; timeouts.stop_seconds is 20.',
  ])
})

test('what an agent lacks, and what is never asked of it, is named', async (t) => {
  const { double, advice } = stand(t)
  double.setMetadata(ocfMetadata().replace('name="stop"', 'name="promote"'))
  assert.deepEqual(await advice({ place: '/x' }), [
    'ocf:test:double has no action stop, and cannot be used without it.',
    'ocf:test:double knows a promoted role; here it is never promoted.',
  ])
})

test('an agent that is not installed, or may not be run, is named with its place', async (t) => {
  const { double, advice } = stand(t)
  const [typo = ''] = (await advice({}, {}, 'ocf:test:doubel')) ?? []
  assert.match(typo, /^ocf:test:doubel is not installed on this machine \(there is no program \//)
  assert.match(typo, /so its parameters cannot be checked here\. Did you mean double\?$/)
  chmodSync(double.file, 0o644)
  assert.match((await advice({}))?.[0] ?? '', /is not installed/)
  assert.match((await advice({}, {}, 'ocf:nobody:double'))?.[0] ?? '', /checked here\.$/)
})

test('metadata is asked for without parameters, and bounded in every way', async (t) => {
  const { room, double, advice } = stand(t)
  await advice({ place: '/x' }, { secret_params: { password: 'canary' } })
  const env = double.env('meta-data')
  assert.deepEqual(
    [...env.keys()].filter((name) => name.startsWith('OCF_RESKEY')),
    [],
  )
  assert.equal(env.get('OCF_RESOURCE_TYPE'), 'double')
  const saysNothing = async (because: RegExp) => {
    const said = await advice({ place: '/x' })
    assert.equal(said?.length, 1)
    assert.match(said[0] ?? '', /^ocf:test:double does not tell its parameters, so they cannot/)
    assert.match(said[0] ?? '', because)
  }
  double.on('meta-data', `sleep ${room.mark} & sleep ${room.mark}`)
  await saysNothing(/was still running and was killed/)
  await until('all of it is gone', () => room.alive().length === 0)
  double.on('meta-data', 'yes')
  await saysNothing(/printed without end/)
  double.on('meta-data', 'echo not this way >&2; exit 5')
  await saysNothing(/meta-data ended with 5: not this way/)
  double.on('meta-data', 'kill -9 $$')
  await saysNothing(/meta-data ended with null: without a word/)
  double.on('meta-data', 'echo "<html>"; exit 0')
  await saysNothing(/no such XML/)
})
