/**
 * Looks a user up with `getent`, which also knows the users of a directory service. It runs in the
 * operation's scope, so a directory that does not answer costs the operation its time, not the
 * daemon.
 */
import type { Account } from './program.ts'
import type { OperationScope } from './resource.ts'

/** The account of a user name or number. Throws when there is none. */
export async function accountOf(user: string, scope: OperationScope): Promise<Account> {
  const end = await scope.run({ argv: ['getent', 'passwd', user], stdoutMaxBytes: 4096 })
  const [name, , uid, gid, , home] = end.stdout.split('\n')[0]?.split(':') ?? []
  if (end.code === 2 || name === undefined || name === '') {
    throw new Error(`there is no user ${user} on this node`)
  }
  if (end.code !== 0 || !isId(uid) || !isId(gid)) {
    throw new Error(
      `the user ${user} cannot be looked up: ${end.output || 'getent did not answer'}`,
    )
  }
  return { name, uid: Number(uid), gid: Number(gid), home: home || '/' }
}

function isId(text: string | undefined): text is string {
  return text !== undefined && /^\d+$/.test(text)
}
