/**
 * A systemd for tests, written from org.freedesktop.systemd1(5): units with states, jobs that take
 * time, processes that may not listen, and the faults that the real one cannot be told to have. It
 * speaks D-Bus on a socket of its own, as its own bus; busctl(1) talks to it as well.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Value, Variant } from '../../src/dbus/marshal.ts'
import {
  decodeMessage,
  encodeMessage,
  type Message,
  messageLength,
} from '../../src/dbus/message.ts'

export interface Unit {
  loadState: string
  fileState: string
  activeState: string
  subState: string
  job: number
  pids: number[]
  pulledInBy: string[]
  needsReload: boolean
  type: string
  /** What becomes of a start and of a stop. */
  starts: 'at once' | 'fails' | 'never'
  stops: 'at once' | 'never' | 'leaves a process'
  /** Not even SIGKILL ends its processes. */
  undying: boolean
}

export interface SystemdDouble {
  readonly address: string
  readonly units: Map<string, Unit>
  /** Every method call that came, in order, for example `StartUnit web.service fail`. */
  readonly calls: string[]
  /** Answers nothing to these members; a member `*` stands for all. */
  readonly deafTo: Set<string>
  /** Sends raw bytes to everybody. */
  blurt(bytes: Buffer): void
  /** Cuts every connection. */
  hangUp(): void
  dies(unit: string): void
  emit(member: string, path: string, iface: string, signature: string, body: Value[]): void
  close(): Promise<void>
}

const ROOT = '/org/freedesktop/systemd1'
const NAME = 'org.freedesktop.systemd1'

export const blankUnit: Readonly<Unit> = {
  loadState: 'loaded',
  fileState: 'disabled',
  activeState: 'inactive',
  subState: 'dead',
  job: 0,
  pids: [],
  pulledInBy: [],
  needsReload: false,
  type: 'simple',
  starts: 'at once',
  stops: 'at once',
  undying: false,
}

export async function startSystemdDouble(t: TestContext, dir: string): Promise<SystemdDouble> {
  const units = new Map<string, Unit>()
  const calls: string[] = []
  const deafTo = new Set<string>()
  const sockets = new Set<Socket>()
  let serial = 0
  let jobs = 0
  const send = (socket: Socket, message: Omit<Message, 'serial'>) =>
    socket.write(encodeMessage({ ...message, serial: ++serial, sender: ':1.1' }))
  const emit: SystemdDouble['emit'] = (member, path, iface, signature, body) => {
    for (const socket of sockets) {
      send(socket, { type: 'signal', path, interface: iface, member, signature, body })
    }
  }
  const change = (name: string, to: Partial<Unit>) => {
    const unit = Object.assign(unitOf(name), to)
    const changed = [['ActiveState', { signature: 's', value: unit.activeState }]]
    const body = [`${NAME}.Unit`, changed, []]
    emit('PropertiesChanged', pathOf(name), 'org.freedesktop.DBus.Properties', 'sa{sv}as', body)
  }
  const unitOf = (name: string): Unit => {
    const found = units.get(name) ?? { ...blankUnit, loadState: 'not-found', fileState: '' }
    units.set(name, found)
    return found
  }
  const finish = (name: string, result: string) => {
    const unit = unitOf(name)
    const body = [unit.job, `${ROOT}/job/${unit.job}`, name, result]
    unit.job = 0
    emit('JobRemoved', ROOT, `${NAME}.Manager`, 'uoss', body)
  }
  const start = (name: string) => {
    const unit = unitOf(name)
    change(name, { activeState: 'activating', subState: 'start', pids: [++jobs + 1000] })
    if (unit.starts === 'never') return
    const up = { activeState: 'active', subState: 'running' }
    const failed = { activeState: 'failed', subState: 'failed', pids: [] }
    change(name, unit.starts === 'at once' ? up : failed)
    finish(name, unit.starts === 'at once' ? 'done' : 'failed')
  }
  const stop = (name: string) => {
    const unit = unitOf(name)
    if (unit.stops === 'never' && unit.pids.length > 0) {
      return change(name, { activeState: 'deactivating', subState: 'stop-sigterm' })
    }
    const pids = unit.stops === 'leaves a process' ? unit.pids : []
    change(name, { activeState: 'inactive', subState: 'dead', pids })
    finish(name, 'done')
  }
  const kill = (name: string) => {
    const unit = unitOf(name)
    if (unit.undying) return
    change(name, { pids: [] })
    if (unit.activeState !== 'inactive') change(name, { activeState: 'failed', subState: 'failed' })
    if (unit.job !== 0) finish(name, 'done')
  }
  /** The values of an answer with their signature; a text is the name of an error. */
  const answer = (
    member: string,
    body: readonly Value[],
    path = '',
  ): [string, Value[]] | string => {
    const name = String(body[0])
    switch (member) {
      case 'Hello':
        return ['s', [':1.7']]
      case 'AddMatch':
      case 'Subscribe':
        return ['', []]
      case 'LoadUnit':
        unitOf(name)
        return ['o', [pathOf(name)]]
      case 'GetAll':
        return ['a{sv}', [propertiesOf(nameOf(path), unitOf(nameOf(path)), name)]]
      case 'Get':
        return ['v', [{ signature: 's', value: unitOf(nameOf(path)).activeState }]]
      case 'GetUnitProcesses':
        return ['a(sus)', [unitOf(name).pids.map((pid) => [`/${name}`, pid, 'web --serve'])]]
      case 'StartUnit':
      case 'StopUnit':
        if (unitOf(name).loadState === 'masked') return `${NAME}.UnitMasked`
        unitOf(name).job = ++jobs
        setImmediate(() => (member === 'StartUnit' ? start(name) : stop(name)))
        return ['o', [`${ROOT}/job/${jobs}`]]
      case 'KillUnit':
        kill(name)
        return ['', []]
      case 'ResetFailedUnit':
        if (unitOf(name).activeState === 'failed') unitOf(name).activeState = 'inactive'
        return ['', []]
      default:
        return 'org.freedesktop.DBus.Error.UnknownMethod'
    }
  }
  const take = (socket: Socket, message: Message) => {
    const { type, member = '', body = [], path, serial: replySerial } = message
    if (type !== 'call') return
    calls.push([member, ...body.map(String)].join(' '))
    if (deafTo.has(member) || deafTo.has('*')) return
    const given = answer(member, body, path)
    if (typeof given === 'string') {
      send(socket, { type: 'error', replySerial, errorName: given, signature: 's', body: ['no'] })
    } else {
      send(socket, { type: 'return', replySerial, signature: given[0], body: given[1] })
    }
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    serveOne(socket, (message) => take(socket, message))
  })
  mkdirSync(dir, { recursive: true })
  const path = join(dir, 'bus')
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const hangUp = () => {
    for (const socket of sockets) socket.destroy()
  }
  const close = () =>
    new Promise<void>((resolve) => {
      hangUp()
      server.close(() => resolve())
      rmSync(path, { force: true })
    })
  t.after(close)
  return {
    ...{ address: `unix:path=${path}`, units, calls, deafTo, hangUp, emit, close },
    blurt: (bytes) => {
      for (const socket of sockets) socket.write(bytes)
    },
    dies: (name) => change(name, { activeState: 'failed', subState: 'failed', pids: [] }),
  }
}

/** The server's side of the authentication, then messages. */
function serveOne(socket: Socket, take: (message: Message) => void): void {
  let received = Buffer.alloc(0)
  let authenticated = false
  socket.on('data', (bytes) => {
    received = Buffer.concat([received, bytes])
    for (let end = received.indexOf('\r\n'); !authenticated && end !== -1; ) {
      const line = received.toString('latin1', 0, end).replace('\0', '')
      received = received.subarray(end + 2)
      if (line === 'BEGIN') authenticated = true
      else if (line.startsWith('NEGOTIATE')) socket.write('ERROR\r\n')
      else if (line === 'AUTH EXTERNAL') socket.write('DATA\r\n')
      else socket.write('OK 0123456789abcdef0123456789abcdef\r\n')
      end = received.indexOf('\r\n')
    }
    while (authenticated) {
      const length = messageLength(received)
      if (length === undefined || received.length < length) return
      const message = decodeMessage(received.subarray(0, length))
      received = received.subarray(length)
      take(message)
    }
  })
}

function propertiesOf(name: string, unit: Unit, iface: string): Value[] {
  const text = (value: string): Variant => ({ signature: 's', value })
  const list = (value: string[]): Variant => ({ signature: 'as', value })
  if (iface !== `${NAME}.Unit`) {
    const result = unit.activeState === 'failed' ? 'exit-code' : 'success'
    return [
      ['Type', text(unit.type)],
      ['Result', text(result)],
      ['ExecMainStatus', { signature: 'i', value: result === 'success' ? 0 : 3 }],
    ]
  }
  return [
    ['Id', text(name)],
    ['LoadState', text(unit.loadState)],
    ['ActiveState', text(unit.activeState)],
    ['SubState', text(unit.subState)],
    ['UnitFileState', text(unit.fileState)],
    ['Job', { signature: '(uo)', value: [unit.job, unit.job ? `${ROOT}/job/${unit.job}` : '/'] }],
    ['NeedDaemonReload', { signature: 'b', value: unit.needsReload }],
    ['WantedBy', list(unit.pulledInBy)],
    ['TriggeredBy', list([])],
  ]
}

/** Only the characters that the tests use. */
function pathOf(name: string): string {
  return `${ROOT}/unit/${name.replace('.', '_2e')}`
}

function nameOf(path: string): string {
  return path.slice(`${ROOT}/unit/`.length).replace('_2e', '.')
}
