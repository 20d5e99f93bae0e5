/**
 * How picketd starts, and how it does not, on a real node: what is wrong with its configuration is
 * one sentence and exit code 2, and a Corosync that is not there is waited for.
 */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { getPriority } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { askOnce } from '../../src/cli/control.ts'
import { statusIn } from '../../src/cli/status.ts'
import {
  downLab,
  exec,
  initOf,
  type Lab,
  processesIn,
  quorumOf,
  type Spawned,
  spawnIn,
  startCorosync,
  until,
  upLab,
  whyNoLab,
} from '../../src/lab/lab.ts'
import { home, nodeDir } from '../../src/lab/names.ts'
import { count, eventually, PATIENCE_MS, quiet } from './cluster.ts'

const name = `starts-${process.pid}`
const skip = whyNoLab() ?? false
const node = 'node1'

describe('picketd on a node of its own', { skip }, () => {
  let lab: Lab
  let config = ''
  let secrets = ''
  const file = (which: string) => path.join(nodeDir(lab, node), 'etc-picket', which)

  before(async () => {
    lab = await upLab({ name, nodes: 1, profile: 'lan', daemon: false })
    config = await readFile(file('config.yaml'), 'utf8')
    secrets = await readFile(file('fence-secrets.yaml'), 'utf8')
  })
  after(async () => {
    await downLab(name)
  })

  /** Runs picketd with this configuration to its end. */
  async function refuses(text: string, secretsText = secrets, mode = 0o600) {
    await writeFile(file('other.yaml'), text)
    await writeFile(file('fence-secrets.yaml'), secretsText)
    await exec(lab, node, ['chmod', mode.toString(8), '/etc/picket/fence-secrets.yaml'])
    const argv = [`${home}/bin/picketd`, '--config', '/etc/picket/other.yaml']
    const { status, stderr } = await exec(lab, node, argv)
    assert.equal(status, 2, stderr)
    return stderr.trimEnd().split('\n')
  }

  test('a configuration that is wrong is one sentence with its place, and exit code 2', async () => {
    const wrong = [
      [config.replace('silent_seconds: 4', 'silent_seconds: soon'), /:\d+:\d+: .*silent_seconds/],
      [config.replace('type: vip', 'type: vpi'), /:\d+:\d+: there is no resource type "vpi"/],
      [config.replace('- node1', '- node7'), /:\d+:\d+: there is no node "node7" in this cluster/],
      [`${config}\nnodes: [`, /:\d+:\d+: /],
    ] as const
    for (const [text, because] of wrong) {
      assert.notEqual(text, config)
      const [line = '', last = '', ...more] = await refuses(text)
      assert.match(line, new RegExp(`alarm: /etc/picket/other.yaml${because.source}`))
      assert.match(last, /alarm: picketd cannot start with .*other\.yaml: it has 1 fault\.$/)
      assert.deepEqual(more, [])
    }
  })

  test('secrets that others can read, or that are not there, are refused by name', async () => {
    const [open = ''] = await refuses(config, secrets, 0o644)
    assert.match(
      open,
      /alarm: \/etc\/picket\/fence-secrets\.yaml: holds secrets and has mode 0644.*chmod 0600/,
    )
    const named = config.replace('\nfence:\n', '\nfence:\n  credentials_file: nowhere.yaml\n')
    const [lost = ''] = await refuses(named)
    assert.match(lost, /other\.yaml:\d+:\d+: the secrets file \/etc\/picket\/nowhere\.yaml: /)
    for (const line of [open, lost]) assert.ok(!line.includes(passwordIn(secrets)))
  })

  test('a configuration that is not there, and one that does not know this node', async () => {
    const argv = [`${home}/bin/picketd`, '--config', '/etc/picket/none.yaml']
    const missing = await exec(lab, node, argv)
    assert.equal(missing.status, 2)
    assert.match(
      missing.stderr,
      /alarm: \/etc\/picket\/none\.yaml: there is no such file\n.* it has 1 fault\.\n$/,
    )

    const stranger = config.replaceAll('node1', 'node7')
    const [, last = ''] = await refuses(stranger, secrets.replaceAll('node1', 'node7'))
    assert.match(
      last,
      /alarm: This node is node1 to Corosync, and .*other\.yaml knows only node7\./,
    )
  })

  test('H25 a rule that weakens quorum is refused, and is an alarm where it is accepted', async () => {
    const conf = path.join(nodeDir(lab, node), 'etc-corosync/corosync.conf')
    const before = await readFile(conf, 'utf8')
    const provider = 'provider: corosync_votequorum\n'
    assert.ok(before.includes(provider))
    await writeFile(conf, before.replace(provider, `${provider}  allow_downscale: 1\n`))
    await restartCorosync(lab)
    const said = (await refuses(config)).join('\n')
    assert.match(said, /alarm: Corosync's quorum: allow_downscale lets nodes that leave take/)
    assert.match(said, /write corosync: \{accept: \[allow_downscale\]\} in the config\./)

    await writeFile(file('other.yaml'), `${config}\ncorosync: { accept: [allow_downscale] }\n`)
    await writeFile(file('fence-secrets.yaml'), secrets)
    const daemon = start(lab, ['--config', '/etc/picket/other.yaml'])
    try {
      const socket = `/proc/${initOf(lab, node)?.pid}/root/run/picket/control.sock`
      await eventually('it is told as an alarm', async () => {
        // Its socket is not there before it has begun.
        const told = await askOnce(socket, { do: 'status' }).catch(() => undefined)
        const { alarms = [] } = (told?.status ?? {}) as { alarms?: readonly string[] }
        return alarms.some((text) => text.includes('accepted by corosync.accept: allow_downscale'))
      })
    } finally {
      await daemon.stop()
      await writeFile(conf, before)
      await restartCorosync(lab)
    }
  })

  test('without Corosync it waits and says so once; with it, it takes part; told to, it goes', async () => {
    await refuses('')
    const corosync = processesIn(lab, node).find((process) => process.name === 'corosync')
    assert.ok(corosync)
    process.kill(corosync.pid, 'SIGKILL')
    await eventually('Corosync is gone', async () => (await quorumOf(lab, node)) === undefined)
    const daemon = start(lab)
    try {
      const waits = /picketd waits for Corosync: .*\(systemctl status corosync\)/
      await eventually('it waits', () => waits.test(daemon.said()))
      await quiet(2_500)
      assert.equal(count(daemon.said(), waits), 1, daemon.said())
      // Also V8's own threads, for which it waits whenever memory is swept (H23).
      const threads = readdirSync(`/proc/${daemon.pid()}/task`)
      assert.ok(threads.length > 4)
      assert.deepEqual([...new Set(threads.map((thread) => getPriority(Number(thread))))], [-20])
      await startCorosync(lab, node)
      const socket = `/proc/${initOf(lab, node)?.pid}/root/run/picket/control.sock`
      await eventually('the address runs here', async () => {
        const status = statusIn(await askOnce(socket, { do: 'status' }))
        return status?.ready && status.resources.every(({ state }) => state === 'running')
      })
      process.kill(daemon.pid(), 'SIGTERM')
      assert.equal(await until(() => daemon.code() !== undefined, PATIENCE_MS), true)
      assert.equal(daemon.code(), 0, daemon.said())
      assert.match(daemon.said(), /vip is stopped.*picketd ends: left/s)
    } finally {
      await daemon.stop()
    }
  })
})

async function restartCorosync(lab: Lab): Promise<void> {
  const corosync = processesIn(lab, node).find((process) => process.name === 'corosync')
  assert.ok(corosync)
  process.kill(corosync.pid, 'SIGKILL')
  await eventually('Corosync is gone', async () => (await quorumOf(lab, node)) === undefined)
  await startCorosync(lab, node)
}

function passwordIn(secrets: string): string {
  const [, password = ''] = /password: "?([^"\n]+)/.exec(secrets) ?? []
  assert.notEqual(password, '')
  return password
}

interface Daemon {
  said(): string
  code(): number | null | undefined
  /** picketd itself, which runs behind what brought it into the node. */
  pid(): number
  readonly stop: Spawned['stop']
}

function start(lab: Lab, more: readonly string[] = []): Daemon {
  const { child, stop } = spawnIn(lab, node, [`${home}/bin/picketd`, ...more])
  let said = ''
  let code: number | null | undefined
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  child.once('exit', (status) => {
    code = status
  })
  return {
    said: () => said,
    code: () => code,
    pid() {
      const found = processesIn(lab, node).filter(({ name }) => /^(node|MainThread)$/.test(name))
      assert.equal(found.length, 1)
      return found[0]!.pid
    },
    stop,
  }
}
