/**
 * `audit.peers`: what this node keeps of the audit logs of the others, and what they have said that
 * they keep of its own. Beside the log, so that `picket audit verify` needs nobody to be awake.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeWhole } from './files.ts'
import { type Words, wordsFrom } from './heads.ts'

export const peersFile = 'audit.peers'
/** Longer than any that is written. */
const bytesMax = 2 ** 20

export interface Peers {
  /** By the node whose log it is. */
  readonly kept: Words
  /** Of the log of this node, by the node that said it. */
  readonly said: Words
}

export const noPeers: Peers = { kept: new Map(), said: new Map() }

/** What was kept; `damaged` where it tells nothing. Throws where it cannot be read. */
export function readPeers(dir: string): Peers | 'damaged' {
  let fd: number
  try {
    fd = openSync(join(dir, peersFile), 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return noPeers
    throw error
  }
  try {
    return fstatSync(fd).size > bytesMax ? 'damaged' : peersIn(readFileSync(fd, 'utf8'))
  } finally {
    closeSync(fd)
  }
}

function peersIn(text: string): Peers | 'damaged' {
  try {
    const { kept, said } = JSON.parse(text) as Record<string, unknown>
    const words = { kept: wordsFrom(kept), said: wordsFrom(said) }
    return words.kept && words.said ? { kept: words.kept, said: words.said } : 'damaged'
  } catch {
    return 'damaged'
  }
}

/** Makes it durable, in one piece. */
export async function writePeers(dir: string, { kept, said }: Peers): Promise<void> {
  const words = { kept: Object.fromEntries(kept), said: Object.fromEntries(said) }
  await writeWhole(dir, peersFile, `${JSON.stringify(words)}\n`)
}
