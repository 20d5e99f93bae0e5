/** Claims the node for the directories that it is given, says what became of it, and stays. */
import { claimNode } from '../../src/daemon/instance.ts'

const claim = claimNode(process.argv.slice(2))
process.stdout.write(claim.ok ? 'claimed' : claim.because)
setInterval(() => {}, 60_000)
