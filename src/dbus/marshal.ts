/**
 * Values to bytes and back, as D-Bus lays them out. What is written is little-endian; what is read
 * may be either. Bytes that are read come from others: every length is checked before it is used,
 * and whatever the specification forbids throws.
 *
 * @source D-Bus Specification, "Marshaling (Wire Format)".
 */
import { alignmentOf, parseSignature, parseSingle, type Type } from './signature.ts'

/**
 * One value: numbers as numbers, 64-bit integers as bigints, arrays and structs as lists, a
 * dictionary as a list of pairs, a variant with the signature of what is in it.
 */
export type Value = boolean | number | bigint | string | Variant | readonly Value[]

export interface Variant {
  readonly signature: string
  readonly value: Value
}

/** An array may be 64 MiB long at most. */
const ARRAY_MAX = 2 ** 26
/** Variants may hold variants; nobody needs more of that than this. */
const VARIANT_DEPTH_MAX = 32

/** The bytes of some values, as they stand at a multiple of eight. */
export function marshal(signature: string, values: readonly Value[]): Buffer {
  const types = parseSignature(signature)
  if (types.length !== values.length) {
    throw new Error(`${values.length} values for the signature ${signature}`)
  }
  const writer = new Writer()
  for (const [index, type] of types.entries()) write(writer, type, values[index]!)
  return writer.bytes()
}

/** The values in some bytes that stood at a multiple of eight. Throws unless they fit exactly. */
export function unmarshal(signature: string, bytes: Buffer, littleEndian = true): Value[] {
  const reader = new Reader(bytes, littleEndian)
  const values = parseSignature(signature).map((type) => read(reader, type, 0))
  reader.end()
  return values
}

class Writer {
  private buffer = Buffer.alloc(256)
  private at = 0

  align(to: number): void {
    this.room((to - (this.at % to)) % to)
  }

  /** Makes room for so many zero bytes, maybe in another buffer, and tells where they begin. */
  room(length: number): number {
    const begin = this.at
    this.at += length
    if (this.at > this.buffer.length) {
      const grown = Buffer.alloc(2 ** Math.ceil(Math.log2(this.at)))
      this.buffer.copy(grown)
      this.buffer = grown
    }
    return begin
  }

  number(size: 1 | 2 | 4, value: number): void {
    const at = this.room(size)
    this.buffer.writeUIntLE(value, at, size)
  }

  signed(size: 2 | 4, value: number): void {
    const at = this.room(size)
    this.buffer.writeIntLE(value, at, size)
  }

  big(value: bigint): void {
    const at = this.room(8)
    this.buffer.writeBigUInt64LE(value, at)
  }

  signedBig(value: bigint): void {
    const at = this.room(8)
    this.buffer.writeBigInt64LE(value, at)
  }

  double(value: number): void {
    const at = this.room(8)
    this.buffer.writeDoubleLE(value, at)
  }

  text(lengthSize: 1 | 4, text: string): void {
    if (text.includes('\0')) throw new Error('a text with a NUL byte')
    const bytes = Buffer.from(text)
    this.number(lengthSize, bytes.length)
    const at = this.room(bytes.length + 1)
    bytes.copy(this.buffer, at)
  }

  /** Writes the length of what `fill` writes before it. */
  measured(alignment: number, fill: () => void): void {
    const lengthAt = this.room(4)
    this.align(alignment)
    const begin = this.at
    fill()
    this.buffer.writeUInt32LE(this.at - begin, lengthAt)
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.at)
  }
}

function write(writer: Writer, type: Type, value: Value): void {
  writer.align(alignmentOf(type))
  switch (type.code) {
    case 'y':
      return writer.number(1, value as number)
    case 'b':
      return writer.number(4, value === true ? 1 : 0)
    case 'n':
      return writer.signed(2, value as number)
    case 'q':
      return writer.number(2, value as number)
    case 'i':
      return writer.signed(4, value as number)
    case 'u':
    case 'h':
      return writer.number(4, value as number)
    case 'x':
      return writer.signedBig(value as bigint)
    case 't':
      return writer.big(value as bigint)
    case 'd':
      return writer.double(value as number)
    case 's':
    case 'o':
      return writer.text(4, value as string)
    case 'g':
      return writer.text(1, value as string)
    case 'v': {
      const { signature, value: inside } = value as Variant
      writer.text(1, signature)
      return write(writer, parseSingle(signature), inside)
    }
    case 'a':
      return writer.measured(alignmentOf(type.element), () => {
        for (const one of value as readonly Value[]) write(writer, type.element, one)
      })
    case '(':
      return writeMembers(writer, type.members, value as readonly Value[])
  }
}

function writeMembers(writer: Writer, types: readonly Type[], values: readonly Value[]): void {
  if (types.length !== values.length) {
    throw new Error(`a struct of ${types.length} with ${values.length} values`)
  }
  for (const [index, type] of types.entries()) write(writer, type, values[index]!)
}

class Reader {
  private readonly view: DataView
  private readonly buffer: Buffer
  private readonly littleEndian: boolean
  private at = 0

  constructor(buffer: Buffer, littleEndian: boolean) {
    this.buffer = buffer
    this.littleEndian = littleEndian
    this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
  }

  get position(): number {
    return this.at
  }

  /** Steps over bytes that have to be there, and tells where they begin. */
  take(length: number): number {
    const begin = this.at
    if (begin + length > this.buffer.length) throw new Error('the message ends too early')
    this.at += length
    return begin
  }

  align(to: number): void {
    const padding = (to - (this.at % to)) % to
    const begin = this.take(padding)
    if (this.buffer.subarray(begin, this.at).some((byte) => byte !== 0)) {
      throw new Error('padding that is not zero')
    }
  }

  byte = () => this.view.getUint8(this.take(1))
  int16 = () => this.view.getInt16(this.take(2), this.littleEndian)
  uint16 = () => this.view.getUint16(this.take(2), this.littleEndian)
  int32 = () => this.view.getInt32(this.take(4), this.littleEndian)
  uint32 = () => this.view.getUint32(this.take(4), this.littleEndian)
  int64 = () => this.view.getBigInt64(this.take(8), this.littleEndian)
  uint64 = () => this.view.getBigUint64(this.take(8), this.littleEndian)
  double = () => this.view.getFloat64(this.take(8), this.littleEndian)

  text(length: number): string {
    const begin = this.take(length + 1)
    if (this.buffer[begin + length] !== 0) throw new Error('a text without its NUL byte')
    const bytes = this.buffer.subarray(begin, begin + length)
    if (bytes.includes(0)) throw new Error('a text with a NUL byte inside')
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  }

  end(): void {
    if (this.at !== this.buffer.length) throw new Error('bytes are left over')
  }
}

function read(reader: Reader, type: Type, depth: number): Value {
  reader.align(alignmentOf(type))
  switch (type.code) {
    case 'y':
      return reader.byte()
    case 'b': {
      const bit = reader.uint32()
      if (bit > 1) throw new Error(`a boolean of ${bit}`)
      return bit === 1
    }
    case 'n':
      return reader.int16()
    case 'q':
      return reader.uint16()
    case 'i':
      return reader.int32()
    case 'u':
    case 'h':
      return reader.uint32()
    case 'x':
      return reader.int64()
    case 't':
      return reader.uint64()
    case 'd':
      return reader.double()
    case 's':
    case 'o':
      return reader.text(reader.uint32())
    case 'g':
      return reader.text(reader.byte())
    case 'v': {
      if (depth >= VARIANT_DEPTH_MAX) throw new Error('variants are nested too deeply')
      const signature = reader.text(reader.byte())
      return { signature, value: read(reader, parseSingle(signature), depth + 1) }
    }
    case 'a':
      return readArray(reader, type.element, depth)
    case '(':
      return type.members.map((member) => read(reader, member, depth))
  }
}

function readArray(reader: Reader, element: Type, depth: number): Value[] {
  const length = reader.uint32()
  if (length > ARRAY_MAX) throw new Error(`an array of ${length} bytes`)
  reader.align(alignmentOf(element))
  const end = reader.position + length
  const values: Value[] = []
  while (reader.position < end) values.push(read(reader, element, depth))
  if (reader.position !== end) throw new Error('an array that ends inside an element')
  return values
}
