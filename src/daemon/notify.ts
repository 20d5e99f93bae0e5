/** sd_notify: tells systemd how the daemon is, where systemd asked to be told. */
import { sendDatagram } from './libc.ts'

/** One state for systemd's manager, e.g. `READY=1`. Says nothing where nobody listens. */
export type Notify = (...assignments: readonly string[]) => boolean

/**
 * Opens the way to systemd. The variable is taken out of the environment, so that no script of a
 * resource can speak in the daemon's name.
 *
 * @source sd_notify(3), "NOTIFY_SOCKET": an absolute path, or `@` and an abstract name.
 */
export function openNotify(environment: NodeJS.ProcessEnv): Notify {
  const socket = environment.NOTIFY_SOCKET
  delete environment.NOTIFY_SOCKET
  if (socket === undefined || !/^[/@]./.test(socket)) return () => false
  return (...assignments) => sendDatagram(socket, assignments.map(oneLine).join('\n'))
}

/** A newline would begin another assignment. */
function oneLine(assignment: string): string {
  return assignment.replaceAll(/\s+/g, ' ').slice(0, 1_000)
}
