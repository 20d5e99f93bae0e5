/**
 * `picket fence`: the power of one node. What changes power goes through the picketd of this node
 * and nowhere else (S21), unless there is none to be: a second fencer beside the coordinator would
 * shoot the wrong node sooner or later. What only reads asks the devices itself, so that it works
 * when picketd does not.
 */
import { defaultConfigFile } from '../config/paths.ts'
import { didYouMean } from '../config/suggest.ts'
import { type Command, defineCommand, type ExitCode, UsageError } from './command.ts'
import { ControlError, mayBeAlone } from './control.ts'
import { order } from './order.ts'

const actions = ['off', 'on', 'reboot', 'status', 'check'] as const

export type PowerAction = 'off' | 'on' | 'reboot'

const flags = {
  'dry-run': { title: 'Say what would be sent; make only calls that change nothing' },
  yes: { title: 'Do not ask' },
  reason: { value: 'TEXT', title: 'Why, for the log of everybody' },
  json: { title: 'Answer in JSON, one object a line' },
  config: { value: 'FILE', title: `The configuration (${defaultConfigFile})` },
  driver: {
    value: 'NAME',
    title: 'One device from the command line instead: its options as flags, and no configuration',
  },
  socket: { value: 'PATH', title: "picketd's control socket" },
  state: { value: 'DIR', title: 'Where an order without picketd is recorded' },
} as const

const configured = defineCommand({
  name: 'fence',
  words: ['off|on|reboot|status|check', '[NODE]'],
  about: `off, on, reboot: orders the picketd of this node to switch NODE's power, shows what
happens, and ends when it is proven or has failed. Asks before it does. Where picketd is not
configured, the order is carried out from here, needs no quorum, and waits for nobody.
status: reads the power of NODE from its devices. Exit code 0: on. 2: off. 1: unknown, and every
error of any kind.
check: asks every fence device of NODE (of all nodes if left out) with our credentials who it
is, and changes nothing. Exit code 0 only if every one of them could fence now.`,
  flags,
  // An agent reads 2 as "off": no mistake in a call may ever say so.
  badUsage: (args) => (args.includes('status') ? 1 : 2),
  async run({ words: [action = '', node], flags }, terminal) {
    const { config = defaultConfigFile, json = false } = flags
    if (!isAction(action)) {
      throw new UsageError(`there is no action "${action}".${didYouMean(action, actions)}`)
    }
    // What an order needs is loaded at once; the configuration and its drivers only where they are
    // asked for.
    if (action === 'check') {
      const { checkDevices } = await import('./devices.ts')
      return await checkDevices({ node, config, json }, terminal)
    }
    if (node === undefined) throw new UsageError('NODE is missing.')
    if (action === 'status') {
      const { readNode } = await import('./devices.ts')
      return await readNode({ node, config, json }, terminal)
    }
    const { 'dry-run': dry = false, yes = false, reason, socket } = flags
    if (dry) {
      const { dryRun } = await import('./dry-run.ts')
      return await dryRun({ action, node, config, socket, json }, terminal)
    }
    const options = { action, node, yes, reason, json, socket, state: flags.state }
    try {
      if (mayBeAlone(socket)) {
        const { orderHere } = await import('./alone.ts')
        return await orderHere({ ...options, config }, terminal)
      }
      return await order(options, terminal)
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      terminal.err(`picket fence: ${error.message}. Nothing was switched from here.`)
      return 1 satisfies ExitCode
    }
  },
})

/** Options of a device on the command line become a configuration before anything else is done. */
export const command: Command = {
  help: configured.help,
  async run(args, terminal) {
    const bringsDevice = args.some((arg) => /^--driver(=|$)/.test(arg))
    if (!bringsDevice || args.includes('--help')) return await configured.run(args, terminal)
    const { withDeviceFlags } = await import('./device-flags.ts')
    try {
      return await withDeviceFlags(args, flags, configured, terminal)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      terminal.err(`picket fence: ${error.message}`)
      return args.includes('status') ? 1 : 2
    }
  },
}

function isAction(word: string): word is (typeof actions)[number] {
  return actions.some((action) => action === word)
}
