/** `picket password`: what a fence agent's `password_script` prints. To a pipe, and to nobody. */
import { isatty } from 'node:tty'
import { isSecret } from '../config/merge.ts'
import { defaultConfigFile } from '../config/paths.ts'
import { defineCommand } from './command.ts'
import { loadOrSay } from './config.ts'

export const command = defineCommand({
  name: 'password',
  words: ['DEVICE'],
  about: `Prints the password of a fence device for a program that asks for it: the password_script
of a fence agent (picket export pacemaker --by device). It has to be able to read the secrets file.
Nothing is printed on a terminal.

DEVICE is its name in \`picket config check\`: NODE/LEVEL/STEP.`,
  flags: {
    config: { title: `The configuration; ${defaultConfigFile} when left out`, value: 'FILE' },
  },
  async run({ words: [id = ''], flags: { config = defaultConfigFile } }, terminal) {
    if (isatty(1)) {
      terminal.err('A password is not shown on a terminal; it is for a password_script.')
      return 3
    }
    const loaded = await loadOrSay(config, terminal)
    if (loaded === undefined) return 2
    const device = loaded.devices.get(id)
    if (device === undefined) {
      terminal.err(`There is no device ${JSON.stringify(id)}: \`picket config check\` lists them.`)
      return 2
    }
    const { password } = device.options
    if (!isSecret(device.driver, 'password') || typeof password !== 'string') {
      terminal.err(`${id} (${device.driver.name}) has no password.`)
      return 2
    }
    terminal.out(password)
    return 0
  },
})
