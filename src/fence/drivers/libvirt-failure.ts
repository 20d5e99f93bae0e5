/** What virsh and ssh print when they fail, as one of our failures. */
import type { ChildResult } from '../../foreign/child.ts'
import { FenceError, printable } from '../errors.ts'

/** The order matters: the first match counts. `where` begins the sentence. */
export function failureOf({ code, stdout, stderr }: ChildResult, where: string): FenceError {
  const said = printable(stderr || stdout || `exit ${code}`)
  const detail = `${where}${said}`
  const says = (pattern: RegExp): boolean => pattern.test(said)
  if (says(/Host key verification failed/)) {
    return new FenceError('certificate', detail, "write its key into root's known_hosts")
  }
  if (says(/Permission denied \(/)) {
    return new FenceError('user', detail, 'allow the key of identity_file to log in there')
  }
  if (says(/Permission denied|access denied|authentication (failed|unavailable|cancelled)/i)) {
    return new FenceError('privilege', detail, 'put the user into the group libvirt')
  }
  // Before there is a connection nothing can have been sent over it.
  if (says(/failed to connect to the hypervisor/)) return new FenceError('unreachable', detail)
  if (says(/cannot acquire state change lock/)) return new FenceError('locked', detail)
  if (says(/Failed to terminate process/)) {
    const mend = 'its process hangs in the storage; free that, or cut the power of the hypervisor'
    return new FenceError('timeout', detail, mend)
  }
  // It is looked up first. virsh says the same when the connection breaks in the middle of that.
  if (says(/failed to get domain '/)) {
    return new FenceError(says(/Disconnected/) ? 'dropped' : 'noSuchPlug', detail)
  }
  if (says(/End of file|keepalive|Cannot recv|Cannot write/)) return new FenceError('cut', detail)
  return new FenceError('garbled', detail)
}
