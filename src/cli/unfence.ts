/** `picket unfence`: a node that was fenced may serve again, where that takes a person's word. */
import { type Command, defineCommand, UsageError } from './command.ts'
import { socketPath } from './control.ts'
import { orNothing } from './intent.ts'
import { follow, requester } from './order.ts'

export const command: Command = defineCommand({
  name: 'unfence',
  words: ['NODE'],
  about: `Lets NODE serve again after it was fenced. Only where the configuration says
\`rejoin: manual\` in its section \`fence\`: there a node that the cluster has fenced comes back as
a member that votes, fences, and takes nothing. Look first why it was fenced. It switches nothing
on.`,
  flags: {
    reason: { value: 'TEXT', title: 'What you have found, for the audit log' },
    json: { title: 'Answer in JSON, one object a line' },
    socket: { value: 'PATH', title: "picketd's control socket" },
  },
  async run({ words: [target], flags: { reason = '', json = false, socket } }, io) {
    if (target === undefined) throw new UsageError('NODE is missing.')
    if (reason.length > 500) throw new UsageError('--reason takes at most 500 characters.')
    const request = { do: 'unfence', target, requester: requester(), reason }
    return await orNothing('unfence', io, () => follow(socketPath(socket), request, json, io))
  },
})
