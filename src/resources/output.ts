/**
 * Bounded buffers for what programs say. A program that floods us is slowed down, not stored: it
 * waits in its own `write` while the daemon goes on with its work.
 */
import type { Readable } from 'node:stream'

export interface Sink {
  add(chunk: Buffer): void
  text(): string
}

/** Keeps the first `maxBytes`. */
export function headBuffer(maxBytes: number): Sink {
  const chunks: Buffer[] = []
  let size = 0
  return {
    add(chunk) {
      if (size >= maxBytes) return
      const part = chunk.subarray(0, maxBytes - size)
      chunks.push(part)
      size += part.length
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  }
}

/** Keeps the last `maxBytes`. */
export function tailBuffer(maxBytes: number): Sink {
  let kept = Buffer.alloc(0)
  return {
    add(chunk) {
      // A copy, so that a small rest does not hold a large chunk in memory.
      kept = Buffer.concat([kept, chunk.subarray(-maxBytes)]).subarray(-maxBytes)
    },
    text: () => kept.toString('utf8'),
  }
}

const BURST_BYTES = 1 << 20
const PAUSE_MS = 10

/** Lets about 100 MB/s through: enough for any honest program, too little to starve the daemon. */
export function throttle(stream: Readable): { passed(bytes: number): void; end(): void } {
  let inBurst = 0
  let pause: NodeJS.Timeout | undefined
  return {
    passed(bytes) {
      inBurst += bytes
      if (inBurst < BURST_BYTES || pause !== undefined) return
      stream.pause()
      pause = setTimeout(() => {
        pause = undefined
        inBurst = 0
        stream.resume()
      }, PAUSE_MS)
    },
    end: () => clearTimeout(pause),
  }
}
