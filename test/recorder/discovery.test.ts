/** R3: who is asked which GFS2 filesystems there are, in which order, and for how long. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  discover,
  filesystemsIn,
  gfs2ResourcesIn,
  lockspacesIn,
  storagesIn,
} from '../../src/recorder/discovery.ts'
import { withPrograms } from '../fence/programs.ts'

const storages = JSON.stringify({
  items: [
    { metadata: { name: 'nnf-storage-1' }, spec: { fileSystemType: 'gfs2' } },
    { metadata: { name: 'nnf-storage-2' }, spec: { fileSystemType: 'lustre' } },
    { metadata: { name: 'nnf-storage-4' }, spec: { fileSystemType: 'gfs2' } },
    { spec: { fileSystemType: 'gfs2' } },
  ],
})
const locks = `dlm lockspaces
name          scratch
id            0x1234
flags         0x00000000
name          clvmd
id            0x5678
`
const config = `Cluster Name: rabbits
Resources:
  Clone: home-clone
    Resource: home (class=ocf provider=heartbeat type=Filesystem)
      Attributes: home-instance_attributes
        device=/dev/vg/home
        fstype=gfs2
  Resource: var (class=ocf provider=heartbeat type=Filesystem)
    Attributes: var-instance_attributes
      fstype=xfs
`
const nobody = 'exit 1'

/** What is found where these programs, and no others, answer. */
function found(programs: Readonly<Record<string, string>>, boundMs?: number) {
  const all = { kubectl: nobody, dlm_tool: nobody, pcs: nobody, ...programs }
  return withPrograms(all, (folder) =>
    discover({ path: `${folder}:/usr/bin:/bin`, boundMs: boundMs ?? 5_000 }),
  )
}
const print = (text: string) => `cat <<'END'\n${text}\nEND`

test('the answers are read', () => {
  assert.deepEqual(storagesIn(storages), ['nnf-storage-1', 'nnf-storage-4'])
  assert.deepEqual(storagesIn('{"items":[]}'), [])
  for (const none of ['', '{}', '[]', 'null', '{"items":1}']) {
    assert.equal(storagesIn(none), undefined, none)
  }
  assert.deepEqual(lockspacesIn(locks), ['scratch'])
  assert.equal(lockspacesIn('dlm lockspaces\n'), undefined)
  assert.deepEqual(gfs2ResourcesIn('  * fs_gfs2_scratch (ocf:heartbeat:Filesystem): Started'), [
    'fs_gfs2_scratch',
  ])
  assert.deepEqual(filesystemsIn(config), ['home'])
  assert.equal(filesystemsIn('Error: cluster is not running'), undefined)
})

test('the first that answers counts, and none is an answer', async () => {
  const kubectl = print(storages)
  const dlm_tool = print(locks)
  const pcs = `[ "$1" = config ] || exit 1\n${print(config)}`
  assert.deepEqual(await found({ kubectl, dlm_tool, pcs }), {
    filesystems: ['nnf-storage-1', 'nnf-storage-4'],
    by: 'kubectl',
  })
  assert.deepEqual((await found({ dlm_tool, pcs })).filesystems, ['scratch'])
  assert.deepEqual((await found({ pcs })).filesystems, ['home'])
  assert.deepEqual((await found({ kubectl: print('{"items":[]}'), dlm_tool })).filesystems, [])
})

test('nobody delays a fence, and that nobody could tell is unknown, not none', async () => {
  assert.deepEqual((await found({})).filesystems, ['unknown'])
  const beganMs = performance.now()
  const hangs = 'sleep 30'
  const late = await withPrograms({ kubectl: hangs, dlm_tool: hangs, pcs: hangs }, (folder) =>
    discover({ path: `${folder}:/usr/bin:/bin` }),
  )
  assert.ok(performance.now() - beganMs < 500)
  assert.deepEqual(late.filesystems, ['unknown'])
  assert.deepEqual((await discover({ enabled: false })).filesystems, ['unknown'])
  // Who hangs does not keep the others from being heard.
  const other = await found({ kubectl: hangs, dlm_tool: print(locks) }, 1_500)
  assert.deepEqual(other.filesystems, ['scratch'])
  assert.deepEqual((await found({ kubectl: 'yes', dlm_tool: print(locks) })).filesystems, [
    'scratch',
  ])
})
