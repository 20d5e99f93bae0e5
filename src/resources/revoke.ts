/**
 * Ends what a start has set going that no scope holds, where the type of the resource says that
 * there may be such a thing. Until that is proven gone, nothing is told about the resource.
 */
import type { Slot } from './perform.ts'
import type { Revoked } from './resource.ts'

/** Fits into what an operation may answer later than its timeout. */
const REVOKE_BOUND_MS = 4000
/** How long the code of a resource type may take beyond its deadline. */
const SETTLE_MS = 500

/** Never rejects, and answers in time. */
export async function revoke(slot: Slot): Promise<Revoked> {
  const { type } = slot
  if (type.revoke === undefined) {
    slot.unrevoked = false
    return { gone: true, because: '' }
  }
  slot.unrevoked = true
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Revoked>((resolve) => {
    const give = () => resolve({ gone: false, because: 'does not answer' })
    timer = setTimeout(give, REVOKE_BOUND_MS + SETTLE_MS)
  })
  const work = type
    .revoke(performance.now() + REVOKE_BOUND_MS)
    .catch((error: Error) => ({ gone: false, because: `cannot be ended: ${error.message}` }))
  const revoked = await Promise.race([work, late])
  clearTimeout(timer)
  slot.unrevoked = !revoked.gone
  return revoked
}
