/**
 * `picket devices`: every fence device as the picketd of this node last found it. It asks nobody
 * itself: the checks are the daemon's, one after the other, so that they never compete with a
 * fencing.
 */
import type { DeviceStatus, Status } from '../core/status.ts'
import { defineCommand } from './command.ts'
import { askOnce, ControlError, socketPath } from './control.ts'
import { mark, type Paint, plain } from './marks.ts'
import { statusIn, whyNone } from './status.ts'

export const command = defineCommand({
  name: 'devices',
  about: `Asks the picketd of this node which fence devices it could use now, since when, and when
it looks again. Every node checks the devices of all others with its own credentials, without
changing anything. Exit code 0 only if every device that was checked works.

\`picket fence check\` asks the devices at once, also without picketd.`,
  flags: {
    json: { title: 'One JSON document on standard output' },
    socket: { value: 'PATH', title: "picketd's control socket" },
  },
  async run({ flags: { json = false, socket } }, terminal) {
    const path = socketPath(socket)
    try {
      const line = await terminal.during('asking picketd', askOnce(path, { do: 'status' }))
      const status = statusIn(line)
      if (status === undefined) throw new ControlError(whyNone(line))
      const rows = rowsOf(status)
      const ok = rows.every(({ device }) => device.ok !== false)
      if (json) {
        const devices = rows.map(({ node, device }) => ({ node, ...device }))
        terminal.out(JSON.stringify({ seenFrom: status.self, ok, devices }))
      } else {
        for (const text of table(status, rows, terminal.paint)) terminal.out(text)
      }
      return ok ? 0 : 1
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      terminal.err(`picket devices: ${error.message}. \`picket fence check\` needs no picketd.`)
      return 1
    }
  },
})

interface Row {
  readonly node: string
  readonly device: DeviceStatus
}

function rowsOf({ nodes }: Status): readonly Row[] {
  return nodes.flatMap(({ id, devices }) => devices.map((device) => ({ node: id, device })))
}

function table({ self, nodes }: Status, rows: readonly Row[], paint: Paint): string[] {
  const widths = [0, 1].map((column) =>
    Math.max(0, ...rows.map(({ device }) => [device.id, device.driver][column]?.length ?? 0)),
  )
  const lines = rows.map(({ node, device }) => {
    const cells = [device.id, device.driver].map((text, at) => plain(text).padEnd(widths[at]!))
    const found = [plain(finding(device, node === self)), plain(device.proves ?? '')]
      .filter(Boolean)
      .join('; ')
    return [word(device, paint), ...cells, found].join('  ').trimEnd()
  })
  const bare = nodes
    .filter(({ devices }) => devices.length === 0)
    .map(({ id }) => `${mark('bad', 'none   ', paint)}  ${plain(id)} has no fence device`)
  return [paint('dim', `seen from ${plain(self)}`), ...lines, ...bare]
}

function word({ ok }: DeviceStatus, paint: Paint): string {
  if (ok === true) return mark('good', 'ok     ', paint)
  return ok === false ? mark('bad', 'FAILED ', paint) : mark('dim', 'unknown', paint)
}

/** What was found, since when, and when it is looked at again. */
function finding({ ok, detail, okForMs, nextInMs }: DeviceStatus, own: boolean): string {
  if (own) return 'fences this node: the others check it'
  const since = typeof okForMs === 'number' ? `for ${span(okForMs)}` : ''
  const next = typeof nextInMs === 'number' ? `asked again in ${span(nextInMs)}` : ''
  const found = ok === true ? since : detail || 'not asked yet'
  return [found, next].filter(Boolean).join('; ')
}

/** `42 s`, `7 min`, `3 h`, `12 d`: as exact as a person wants it. */
export function span(spanMs: number): string {
  const seconds = Math.round(spanMs / 1_000)
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`
  return `${Math.round(seconds / 86_400)} d`
}
