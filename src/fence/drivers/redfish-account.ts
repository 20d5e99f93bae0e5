/**
 * Which role our own user has at a Redfish service. Services differ in whom they let look; not to
 * know is no failure.
 *
 * @see DMTF DSP0268: AccountService, ManagerAccount, Role.
 */
import type { Wire } from '../wire.ts'
import { isObject } from './redfish-answer.ts'
import { type Conversation, linkOf, linksOf } from './redfish-client.ts'

/** With less time left than this the role stays unknown. */
const ROOM_MS = 3_000

/** Our role by its id; remembers where our account stands, because an iDRAC has sixteen of them. */
export async function roleOf(
  bmc: Conversation,
  service: string | undefined,
  user: string,
  known: { account: string | undefined },
  wire: Wire,
): Promise<string | undefined> {
  if (known.account !== undefined) {
    const found = await roleAt(bmc, known.account, user)
    if (found !== undefined) return found
  }
  const accounts = service && linkOf((await bmc.glance(service))?.Accounts)
  const members = accounts ? linksOf((await bmc.glance(accounts))?.Members) : []
  for (const path of members) {
    if (wire.remainingMs() < ROOM_MS) return undefined
    const found = await roleAt(bmc, path, user)
    if (found === undefined) continue
    known.account = path
    return found
  }
  return undefined
}

async function roleAt(bmc: Conversation, path: string, user: string): Promise<string | undefined> {
  const account = await bmc.glance(path)
  if (!isObject(account) || account.UserName !== user) return undefined
  return typeof account.RoleId === 'string' ? account.RoleId : undefined
}
