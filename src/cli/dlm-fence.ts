/**
 * `picket dlm-fence`: the fence agent of dlm_controld, which runs it for a node that it has lost,
 * and writes what it wants to know to its standard input. Success is told for a proof alone, of the
 * life in which the node was lost; everything else is a failure, and dlm_controld asks again.
 */
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, defineCommand, UsageError } from './command.ts'
import { askDaemon, askOnce, ControlError, type Line, socketPath } from './control.ts'
import { plain } from './marks.ts'
import type { Terminal } from './terminal.ts'

const inputMaxBytes = 64 * 2 ** 10
const askEveryMs = 500
const secondsMax = 3_600

export const command: Command = defineCommand({
  name: 'dlm-fence',
  about: `Run by dlm_controld, from a \`fence_all\` line of dlm.conf. Reads \`node=NODEID\` and
\`timeout=SECONDS\` from standard input, one a line, and ends with 0 when that node is proven off
since it was last in the ring. A fencing that is under way is waited for; where there is none, it
orders one. Any other end is a failure: 1. Without input, --node and --timeout say the same.`,
  flags: {
    node: { value: 'NODEID', title: "Corosync's nodeid of the node, for a try by hand" },
    timeout: { value: 'SECONDS', title: 'How long it may take (300)' },
    socket: { value: 'PATH', title: "picketd's control socket" },
  },
  // Whatever dlm_controld may take for a success has to be one.
  badUsage: () => 1,
  async run({ flags }, io) {
    const input = flags.node === undefined ? await readInput(process.stdin) : ''
    const told = new Map(input.split('\n').map((line) => pairOf(line)))
    const action = told.get('action') ?? 'off'
    if (action === 'on') throw new UsageError('nothing is to be unfenced: remove `unfence_all`.')
    const nodeid = whole('node', flags.node ?? told.get('node') ?? '', 2 ** 32 - 1)
    const seconds = whole('timeout', flags.timeout ?? told.get('timeout') ?? '300', secondsMax)
    try {
      return await prove(socketPath(flags.socket), nodeid, Date.now() + 1_000 * seconds, io)
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      io.err(`picket dlm-fence: ${error.message}`)
      return 1
    }
  },
})

/** Asks until the node is proven off, and has it fenced where nobody is at it. */
async function prove(path: string, nodeid: number, untilMs: number, { out, err }: Terminal) {
  let refused = ''
  let ordered = false
  let because = ''
  while (Date.now() < untilMs) {
    const line = await askOnce(path, { do: 'prove', nodeid, requester: requester() })
    because = plain(line.because)
    if (line.ok === true) {
      out(because)
      return 0
    }
    // Where a fencing has begun meanwhile it does not matter that ours was refused.
    if (line.order === '') refused = ''
    if (line.order === undefined || refused !== '') break
    if (line.order !== '' && !ordered) {
      ordered = true
      // Nobody waits for its end: what counts is what can be proven.
      void order(path, line).then((why) => {
        refused = why
      })
    }
    await sleep(Math.min(askEveryMs, Math.max(0, untilMs - Date.now())))
  }
  err(`picket dlm-fence: ${refused || because}`)
  return 1
}

/** Orders what the daemon proposes; why it will not be done, or nothing. */
async function order(path: string, { order: action, node: target, because }: Line) {
  const reason = `dlm_controld has lost it: ${plain(because)}`.slice(0, 500)
  const request = { do: 'fence', action, target, requester: requester(), reason }
  try {
    for await (const line of askDaemon(path, request, { silenceMs: 1_000 * secondsMax })) {
      if (line.ok === false && !('verdict' in line)) return plain(line.because)
    }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    return error.message
  }
  return ''
}

/** Who asks, for the record. */
function requester(): string {
  return `dlm_controld on ${hostname()}`.slice(0, 200)
}

async function readInput(from: AsyncIterable<Buffer | string>): Promise<string> {
  let text = ''
  for await (const chunk of from) {
    text += chunk
    if (text.length > inputMaxBytes) throw new UsageError('the input is too long.')
  }
  return text
}

function pairOf(line: string): readonly [string, string] {
  const at = line.indexOf('=')
  return at < 0 ? [line.trim(), ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()]
}

function whole(name: string, text: string, max: number): number {
  const number = Number(text)
  if (/^\d{1,10}$/.test(text) && number >= 1 && number <= max) return number
  throw new UsageError(`${name} is "${text}"; give a whole number from 1 to ${max}.`)
}
