/** The three logs as they lie on disk, with what logrotate has put aside, oldest first. */
import { createReadStream, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createGunzip } from 'node:zlib'

/** What stands between two newlines; the last of a file may have none. */
export interface LogLine {
  readonly file: string
  readonly line: number
  readonly bytes: Buffer
}

/** Longer than any line that is written. */
const lineBytesMax = 64 * 2 ** 10

/** The files of one log: `NAME`, `NAME.1`, `NAME.2.gz` … */
export function filesOf(dir: string, name: string): readonly string[] {
  const found = readdirSync(dir).flatMap((file) => {
    if (!file.startsWith(name)) return []
    const match = /^(?:\.([1-9]\d{0,3}))?(?:\.gz)?$/.exec(file.slice(name.length))
    return match === null ? [] : [{ file, age: Number(match[1] ?? 0) }]
  })
  return found.sort((a, b) => b.age - a.age).map(({ file }) => file)
}

/** Every line of a log, however long it is. */
export async function* linesOf(dir: string, name: string): AsyncGenerator<LogLine> {
  for (const file of filesOf(dir, name)) {
    const raw = createReadStream(join(dir, file))
    const stream = file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw
    raw.on('error', (error) => stream.destroy(error))
    let rest = Buffer.alloc(0)
    let line = 1
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, chunk])
      let from = 0
      for (let to = rest.indexOf(10); to >= 0; to = rest.indexOf(10, from)) {
        yield { file, line: line++, bytes: rest.subarray(from, to) }
        from = to + 1
      }
      rest = rest.subarray(from)
      if (rest.length > lineBytesMax) rest = rest.subarray(rest.length - lineBytesMax)
    }
    if (rest.length > 0) yield { file, line, bytes: rest }
  }
}
