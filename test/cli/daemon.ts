/** The daemon's own control socket with a desk behind it that a test fills in. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Order } from '../../src/core/event.ts'
import type { Foreseen } from '../../src/core/foresee.ts'
import type { Verdict } from '../../src/core/message.ts'
import type { NodeStatus, Status } from '../../src/core/status.ts'
import { type Control, type OrderView, openControl } from '../../src/daemon/control.ts'
import { type Reply, socketName } from '../../src/daemon/protocol.ts'

export interface Desk {
  readonly socket: string
  readonly control: Control
  readonly given: Order[]
  readonly orders: OrderView[]
  /** Who has accepted what, and why. */
  readonly accepted: string[]
  /** Of which nodeids a proof was asked for. */
  readonly asked: number[]
  world: {
    status: object | string
    explanation: object | string
    foreseen: readonly Foreseen[] | string
    cautions: readonly string[]
    refusal: string | undefined
    /** What is told of a proof, one answer after the other. */
    proofs: Reply[]
  }
}

/** Open the socket; `onOrder` is called when an order has been taken. */
export async function openDesk(
  t: TestContext,
  status: object | string,
  onOrder: (desk: Desk, order: Order) => void = () => {},
): Promise<Desk> {
  const runDir = folder(t)
  const given: Order[] = []
  const orders: OrderView[] = []
  const accepted: string[] = []
  const asked: number[] = []
  const explanation = 'nothing to explain'
  const world: Desk['world'] = {
    status,
    explanation,
    foreseen: [],
    cautions: [],
    refusal: undefined,
    proofs: [],
  }
  const control = await openControl({
    runDir,
    watchMs: 20,
    desk: {
      status: () => world.status,
      orders: () => orders,
      give(order) {
        if (world.refusal !== undefined) return world.refusal
        given.push(order)
        // The core answers later, as everything it does.
        setImmediate(() => onOrder(desk, order))
        return undefined
      },
      explain: () => world.explanation,
      prove(nodeid) {
        asked.push(nodeid)
        // The last answer is given again and again.
        return (world.proofs.length > 1 ? world.proofs.shift() : world.proofs[0]) ?? 'unknown'
      },
      foresee() {
        const { foreseen } = world
        return typeof foreseen === 'string' ? foreseen : { foreseen, cautions: world.cautions }
      },
      async accept(requester, reason) {
        if (accepted.push(`${requester}: ${reason}`) === 1) return 1
        return 'there is nothing to accept'
      },
      journalPath: '/nowhere',
    },
  })
  t.after(() => control.close())
  const desk: Desk = {
    ...{ socket: join(runDir, socketName), control, given, orders, accepted, asked, world },
  }
  return desk
}

export const proven: Verdict = {
  proven: true,
  newBoot: false,
  text: 'off confirmed by web-02/1/1 after 0.4 s',
  level: 1,
  tookMs: 400,
  late: false,
  commanded: 'yes' as const,
  evidence: [],
}

/** The daemon says two sentences and then what became of the order. */
export function answering(at: 'done' | 'failed' | 'refused', because: string, verdict?: Verdict) {
  return (desk: Desk, order: Order) => {
    const facts = { node: order.target }
    desk.control.said({ do: 'say', level: 'info', text: 'pressing off via web-02/1/1', facts })
    desk.control.said({ do: 'say', level: 'info', text: 'reading the power back', facts })
    desk.orders.push({ id: order.id, at, because, ...(verdict && { verdict }) })
    desk.control.changed()
  }
}

/** Something that listens where picketd should, and is not picketd. */
export async function openStranger(
  t: TestContext,
  serve: (socket: Socket) => void,
): Promise<string> {
  const path = join(folder(t), 'stranger.sock')
  const server = createServer((socket) => {
    socket.on('error', () => {})
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.after(() => server.close())
  return path
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'picket-run-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A member in good health. */
export function member(id: string, change: Partial<NodeStatus> = {}): NodeStatus {
  return {
    id,
    standing: 'member',
    because: '',
    inRing: true,
    daemon: true,
    barred: false,
    quarantined: false,
    late: false,
    boot: 'boot-1',
    holds: [],
    deferred: '',
    fencing: undefined,
    devices: [{ id: `${id}/1/1`, driver: 'ipmi', ok: true, detail: 'checked' }],
    checks: [],
    ...change,
  }
}

/** A cluster in good health. */
export function healthy(change: Partial<Status> = {}): Status {
  return {
    cluster: 'shop',
    self: 'web-01',
    quorate: true,
    ring: '1.44',
    coordinator: 'web-02',
    ready: true,
    because: '',
    passive: '',
    nodes: [member('web-01', { holds: ['address 10.0.0.9'] }), member('web-02'), member('web-03')],
    resources: [
      {
        id: 'vip',
        thing: 'address 10.0.0.9',
        state: 'running',
        node: 'web-01',
        because: '',
        failures: {},
      },
    ],
    orders: [],
    intents: [],
    advice: [],
    ...change,
  }
}
