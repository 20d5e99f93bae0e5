/** What picketd may be told on its command line. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { defaultConfigFile, defaultStateDir } from '../config/paths.ts'
import { version } from '../config/version.ts'

export interface Arguments {
  readonly config: string
  readonly stateDir: string
  readonly runDir: string
  readonly json: boolean
  /** Check the config and this node, say what was found, and end. */
  readonly onceCheck: boolean
}

export type Parsed =
  | { readonly kind: 'run'; readonly given: Arguments }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'wrong'; readonly because: string }

export const usage = `picketd: keeps the services of this cluster running, as one member of it

  --config FILE      the configuration (${defaultConfigFile})
  --state DIRECTORY  what has to survive a boot (${defaultStateDir})
  --run DIRECTORY    what must not survive a boot, and the control socket (/run/picket)
  --log text|json    how to write the log on standard error (text)
  --once-check       check the configuration and this node, and end
  --version          the version of this program
  --help             this text

Signals: SIGTERM or SIGINT stops the resources here and leaves the cluster; SIGHUP reads the secrets
again. Exit codes: 0 left, 1 refused or failed, 2 wrong configuration or arguments, 70 a defect.
`

export function parseArguments(words: readonly string[]): Parsed {
  try {
    const { values } = parseArgs({
      args: [...words],
      strict: true,
      options: {
        config: { type: 'string', default: defaultConfigFile },
        state: { type: 'string', default: defaultStateDir },
        run: { type: 'string', default: '/run/picket' },
        log: { type: 'string', default: 'text' },
        'once-check': { type: 'boolean', default: false },
        version: { type: 'boolean', short: 'V', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return { kind: 'help', text: usage }
    if (values.version) return { kind: 'help', text: `picketd ${version()}\n` }
    if (values.log !== 'text' && values.log !== 'json') {
      return { kind: 'wrong', because: `--log takes text or json, not ${values.log}` }
    }
    const given: Arguments = {
      config: resolve(values.config),
      stateDir: resolve(values.state),
      runDir: resolve(values.run),
      json: values.log === 'json',
      onceCheck: values['once-check'],
    }
    return { kind: 'run', given }
  } catch (error) {
    return { kind: 'wrong', because: error instanceof Error ? error.message : String(error) }
  }
}
