/**
 * Runs among the processes of a machine of systemd-host.ts and passes connections on to the socket
 * of its systemd, which speaks only with processes that it can see. Arguments: from where, to where.
 */
import { connect, createServer } from 'node:net'

const [, , from = '', to = ''] = process.argv
createServer((near) => {
  const far = connect(to)
  near.pipe(far).pipe(near)
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.on('error', () => other.destroy())
    one.on('close', () => other.destroy())
  }
}).listen(from)
