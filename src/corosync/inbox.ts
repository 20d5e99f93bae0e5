/**
 * What callbacks leave behind until the event loop is out of C again: they only enqueue (S20).
 * Everything is told in the order in which it came, and a listener that throws is never told more.
 */
import type { RingId } from '../core/model.ts'
import type { Address, Change } from './group.ts'
import type { Word } from './quorum.ts'

export type Item = Readonly<
  | { kind: 'verdict'; word: Word }
  | { kind: 'change'; members: readonly Address[]; changes: readonly Change[] }
  | { kind: 'ring'; ring: RingId; nodeids: readonly number[] }
  | { kind: 'delivery'; from: Address; bytes: Uint8Array | undefined }
  | { kind: 'links' }
  | { kind: 'lost'; because: string }
>

/** Is it about the group that we have joined? */
export function isOfGroup({ kind }: Item): boolean {
  return kind === 'change' || kind === 'ring' || kind === 'delivery'
}

export interface Inbox {
  put(item: Item): void
  /** Tells all that has come. What the listener throws is thrown on. */
  tell(): void
  /** True when no more should be put for now. */
  full(): boolean
  empty(): boolean
}

const bytesMax = 4 << 20
const itemsMax = 4_096

export function createInbox(listener: (item: Item) => void): Inbox {
  let items: Item[] = []
  let bytes = 0
  let telling = false
  return {
    put(item) {
      // The state of the links is asked for when it is told: once is enough.
      if (item.kind === 'links' && items.some(({ kind }) => kind === 'links')) return
      items.push(item)
      if (item.kind === 'delivery') bytes += item.bytes?.length ?? 0
    },
    tell() {
      if (telling) return
      // Not in a `finally`: whoever throws has lost its mind, and the process is about to end.
      telling = true
      while (items.length > 0) {
        const now = items
        items = []
        bytes = 0
        for (const item of now) listener(item)
      }
      telling = false
    },
    full: () => items.length >= itemsMax || bytes >= bytesMax,
    empty: () => items.length === 0,
  }
}
