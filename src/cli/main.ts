/**
 * `picket`: finds the command and hands over. Commands are loaded only when they are called, so
 * that `--help`, `--version` and a typing mistake answer at once.
 */
import { didYouMean } from '../config/suggest.ts'
import { version } from '../config/version.ts'
import type { Command, ExitCode } from './command.ts'
import type { IntentCommand } from './intent.ts'
import { processTerminal, type Terminal } from './terminal.ts'

interface Entry {
  readonly summary: string
  readonly load: () => Promise<{ readonly command: Command }>
}

/** Every command of `picket`, in the order of the help. */
export const commands: Readonly<Record<string, Entry>> = {
  status: {
    summary: 'Show the cluster: nodes, fence devices, resources, and what to do',
    load: () => import('./status.ts'),
  },
  devices: {
    summary: 'Show every fence device, as the picketd of this node last found it',
    load: () => import('./device-list.ts'),
  },
  explain: {
    summary: 'Say why a resource is where it is, and why it is not elsewhere',
    load: () => import('./explain.ts'),
  },
  fence: {
    summary: 'Switch a node off or on and prove it, read its power, check its devices',
    load: () => import('./fence.ts'),
  },
  confirm: {
    summary: 'Say that you have seen a node dead, where no fence device can prove it',
    load: () => import('./confirm.ts'),
  },
  quorum: {
    summary: 'Go on without the nodes that are lost for good, where too few are left',
    load: () => import('./quorum.ts'),
  },
  unfence: {
    summary: 'Let a node serve again that was fenced, where the config says `rejoin: manual`',
    load: () => import('./unfence.ts'),
  },
  'dlm-fence': {
    summary: 'Fence a node for dlm_controld, which runs this itself',
    load: () => import('./dlm-fence.ts'),
  },
  standby: {
    summary: 'Take a node out of service: what runs there moves away, until `unstandby`',
    load: () => intent('standby'),
  },
  unstandby: {
    summary: 'Let a node on standby take resources again',
    load: () => intent('unstandby'),
  },
  disable: {
    summary: 'Stop a resource, and keep it stopped until `enable`',
    load: () => intent('disable'),
  },
  enable: { summary: 'Let a disabled resource run again', load: () => intent('enable') },
  move: {
    summary: 'Run a resource on one of its nodes, until `unmove`',
    load: () => intent('move'),
  },
  unmove: { summary: 'Take a move back', load: () => intent('unmove') },
  ban: { summary: 'Keep a resource off a node, until `unban`', load: () => intent('ban') },
  unban: { summary: 'Take a ban back', load: () => intent('unban') },
  maintenance: {
    summary: 'Leave a node, a resource or the whole cluster alone while somebody works on it',
    load: () => import('./maintenance.ts'),
  },
  detach: {
    summary: 'Replace the picketd of this node by another one; what runs here runs on',
    load: () => import('./detach.ts'),
  },
  cleanup: {
    summary: 'Forget that a resource has failed, so that it is tried again at once',
    load: () => intent('cleanup'),
  },
  config: {
    summary: 'Check a configuration file, show what is in effect; its JSON Schema',
    load: () => import('./config.ts'),
  },
  import: {
    summary: 'Make a config from the stonith devices of Pacemaker, or from an inventory',
    load: () => import('./import.ts'),
  },
  export: {
    summary: 'Make the script by which a Pacemaker cluster fences with the agents of Picket',
    load: () => import('./export.ts'),
  },
  password: {
    summary: 'Print the password of a fence device, for the password_script of an agent',
    load: () => import('./password.ts'),
  },
  drivers: {
    summary: 'List the fence drivers, and the options of one',
    load: () => import('./drivers.ts'),
  },
  respond: {
    summary: 'Carry out what `fence_recorder` asks for, by files in a directory or over HTTPS',
    load: () => import('./respond.ts'),
  },
  events: {
    summary: 'Sum up the fencings that `fence_recorder` has logged',
    load: () => import('./events.ts'),
  },
  agents: {
    summary: 'Place the fence agents by which Pacemaker fences with Picket, or take them away',
    load: () => import('./agents.ts'),
  },
  audit: {
    summary: 'Show what was decided and tried, and verify that nobody has changed it since',
    load: () => import('./audit.ts'),
  },
  demo: {
    summary: 'See a failover on this machine: a real cluster in namespaces',
    load: () => import('./demo.ts'),
  },
  lab: {
    summary: 'Run a real cluster on this machine, for learning and drills',
    load: () => import('./lab.ts'),
  },
  simulate: {
    summary: 'Put the cluster through failures in virtual time and check every promise',
    load: () => import('./simulate.ts'),
  },
}

async function intent(action: IntentCommand): Promise<{ readonly command: Command }> {
  const { commandFor } = await import('./intent.ts')
  return { command: commandFor(action) }
}

/**
 * Run `picket` with these arguments. Never throws: every failure is a sentence and an exit code.
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [name, ...rest] = args
  if (name === undefined) {
    terminal.err(help())
    return 2
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    return rest[0] === undefined ? done(terminal, help()) : main([rest[0], '--help'], terminal)
  }
  if (name === '--version' || name === '-V') return done(terminal, `picket ${version()}`)
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (entry === undefined) {
    const known = [...Object.keys(commands), '--help', '--version']
    terminal.err(`picket: there is no command "${name}".${didYouMean(name, known)}`)
    terminal.err('`picket --help` lists the commands.')
    return 2
  }
  try {
    const { command } = await entry.load()
    return await command.run(rest, terminal)
  } catch (error) {
    terminal.err(`picket ${name}: ${error instanceof Error ? error.message : String(error)}`)
    if (process.env.PICKET_DEBUG && error instanceof Error) terminal.err(error.stack ?? '')
    return 1
  }
}

/** Ends at once: Node.js would wait at its end for lookups that nobody waits for any more. */
async function end(code: ExitCode): Promise<void> {
  if (process.getActiveResourcesInfo().includes('GetAddrInfoReqWrap')) {
    const { exitNow } = await import('../daemon/libc.ts')
    exitNow(code)
  }
  process.exit(code)
}

function done(terminal: Terminal, text: string): ExitCode {
  terminal.out(text)
  return 0
}

function help(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const rows = Object.entries(commands).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`,
  )
  return `Usage: picket COMMAND [OPTIONS]

Keeps services running when a node dies, and never lets two nodes run the same service.

Commands:
${rows.join('\n')}

\`picket COMMAND --help\` tells more. \`picket --version\` prints the version.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused.`
}

if (import.meta.main) {
  // A reader that has seen enough (`picket status | head -1`) is no error worth a stack trace.
  process.stdout.on('error', () => process.exit(1))
  void main(process.argv.slice(2), processTerminal()).then((code) => {
    // A reader behind a socket may be slow, and the end of the process would cut what it is told.
    process.stdout.write('', () => void end(code))
  })
}
