/**
 * The file that keeps the ledger: whole ledgers one after the other, the newest last, each of two
 * lines, a header and the ledger. What follows them is zeros, and a last sector that ends the file.
 *
 * A ledger is added by one write into space that the file already has, so that the disk has nothing
 * to note but these bytes. A write that the power cut short leaves sectors of zeros, which JSON
 * never holds: that ledger was acknowledged to nobody, and the one before it counts. Anything else
 * that is not right to the last byte makes the whole file worth nothing.
 */
import { crc32 } from 'node:zlib'
import type { Ledger } from '../core/ledger.ts'
import { whyNoLedger } from '../corosync/validate.ts'

export const version = 3
/** The longest file that is written or read. */
export const fileBytesMax = 16 * 2 ** 20
/** What a disk writes whole or not at all. */
const sectorBytes = 512
const pageBytes = 4096
const fileBytesMin = 32 * 2 ** 10
/** So many ledgers of the same length find space in a file. */
const ledgersPerFile = 8
const last = Buffer.alloc(sectorBytes, '\n')
last.write('{"picket":"end of the ledgers"}')
const opening = Buffer.from('{"picket":"ledger"')

/** A ledger as it is added to the file: whole sectors. */
export function renderLedger(cluster: string, ledger: Ledger): Buffer {
  const body = JSON.stringify(ledger)
  const text = Buffer.from(`${headerOf(cluster, body)}\n${body}\n`)
  return Buffer.concat([text], wholeSectors(text.length))
}

/** A new file with one ledger, and with space for more; `undefined` where it would be too long. */
export function renderFile(record: Buffer): Buffer | undefined {
  const wanted = Math.max(fileBytesMin, ledgersPerFile * record.length + sectorBytes)
  const length = Math.min(pageBytes * Math.ceil(wanted / pageBytes), fileBytesMax)
  if (record.length > length - sectorBytes) return undefined
  const file = Buffer.concat([record], length)
  last.copy(file, length - sectorBytes)
  return file
}

/** Where the space for further ledgers ends. */
export function spaceEnd(file: Buffer): number {
  return file.length - sectorBytes
}

export interface Found {
  readonly ledger?: Ledger
  /** Why the file cannot be used; absent where it can. */
  readonly because?: string
}

/** The newest whole ledger of a file, if the file can be trusted and is of this cluster. */
export function readFile(file: Buffer, cluster: string): Found {
  const other = otherVersion(file)
  if (other !== undefined) {
    return { because: `was written in version ${other} of the format, not ${version}` }
  }
  const end = spaceEnd(file)
  if (end < 0 || !file.subarray(end).equals(last))
    return { because: 'is damaged (its end is missing)' }
  let newest: Extent | undefined
  let at = 0
  while (at < end && !isZero(file.subarray(at, at + sectorBytes))) {
    const extent = extentAt(file.subarray(0, end), at)
    if (extent === undefined) return { because: 'is damaged (its checksum does not match)' }
    at = extent.untilByte
    if (extent.body === undefined) break
    newest = extent
  }
  if (hasMore(file.subarray(at, end))) return { because: 'is damaged (ledgers stand behind a gap)' }
  if (newest === undefined) return { because: 'is damaged (it holds no ledger)' }
  if (newest.cluster !== cluster) {
    return { because: `is of the cluster "${newest.cluster}", not "${cluster}"` }
  }
  const kept: unknown = JSON.parse(newest.body)
  const because = whyNoLedger(kept)
  return because === '' ? { ledger: kept as Ledger } : { because: `holds no ledger: ${because}` }
}

/** Of a write that was cut short its first sector may be missing. Nothing else follows the last. */
function hasMore(rest: Buffer): boolean {
  for (let at = 0; at < rest.length; at += sectorBytes) {
    if (rest.subarray(at, at + opening.length).equals(opening)) return true
  }
  return false
}

interface Extent {
  readonly cluster: string
  readonly body: string
  readonly untilByte: number
}

/** Its write was cut short: sectors of it are missing. */
interface Torn {
  readonly body: undefined
  readonly untilByte: number
}

/** The record that begins there; `undefined` for damage. */
function extentAt(file: Buffer, at: number): Extent | Torn | undefined {
  const header = file.toString('utf8', at, file.indexOf('\n', at))
  const { cluster, length } = fieldsOf(header) ?? {}
  if (typeof cluster !== 'string' || typeof length !== 'number' || !(length > 0)) return undefined
  const bodyAt = at + Buffer.byteLength(header) + 1
  const untilByte = at + wholeSectors(bodyAt + length + 1 - at)
  if (untilByte > file.length) return undefined
  for (let sector = at; sector < untilByte; sector += sectorBytes) {
    if (isZero(file.subarray(sector, sector + sectorBytes))) return { body: undefined, untilByte }
  }
  const body = file.toString('utf8', bodyAt, bodyAt + length)
  // A byte that is not UTF-8 becomes another one here, and the checksum tells.
  const good = headerOf(cluster, body) === header && file[bodyAt + length] === newline
  return good && isZero(file.subarray(bodyAt + length + 1, untilByte))
    ? { cluster, body, untilByte }
    : undefined
}

const newline = 0x0a

function headerOf(cluster: string, body: string): string {
  const crc = crc32(body, crc32(cluster)).toString(16).padStart(8, '0')
  const length = Buffer.byteLength(body)
  return JSON.stringify({ picket: 'ledger', version, cluster, crc, length })
}

/** Files of other versions may be of another shape from their second line on. */
function otherVersion(file: Buffer): string | undefined {
  const fields = fieldsOf(file.toString('utf8', 0, Math.max(0, file.indexOf('\n'))))
  const known = fields?.picket !== 'ledger' || fields.version === version
  return known ? undefined : String(fields.version)
}

function fieldsOf(header: string): { readonly [name: string]: unknown } | undefined {
  try {
    const fields: unknown = JSON.parse(header)
    return typeof fields === 'object' && fields !== null ? { ...fields } : undefined
  } catch {
    return undefined
  }
}

function wholeSectors(bytes: number): number {
  return sectorBytes * Math.ceil(bytes / sectorBytes)
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}
