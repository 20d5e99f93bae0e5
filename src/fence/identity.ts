/**
 * One machine, one name: brings the UUID of a machine into one form, whoever reports it (S15).
 *
 * The sixteen bytes are the same everywhere, their order is not. RFC 4122 writes them as they are
 * read; SMBIOS stores the first three fields little-endian, and dmidecode and the kernel swap them
 * back only from SMBIOS 2.6 on; IPMI sends all sixteen in reverse (`Get System GUID`, least
 * significant byte first), and many BMCs send one of the other two orders instead. A reader cannot
 * know which one it got, and `ipmitool mc guid` guesses from the version digit.
 *
 * So two UUIDs are the same machine when some combination of these reorderings turns one into the
 * other, and the canonical form is one fixed member of that family. The family has eight members at
 * most; that two different machines fall into one is as likely as a collision of random UUIDs.
 */

/** Swap the first three fields, swap what the reversal makes of them, reverse everything. */
const swapFields = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
const swapMirrored = [0, 1, 2, 3, 4, 5, 6, 7, 9, 8, 11, 10, 15, 14, 13, 12]
const reverse = [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]

/**
 * The canonical form of an identity: a lower-case UUID for anything that holds sixteen bytes in hex
 * (with or without dashes, colons, blanks, braces), other names trimmed and in lower case.
 * `undefined` for what identifies nothing: an empty text, all zeros, all ones.
 */
export function canonicalIdentity(text: string): string | undefined {
  const plain = text.trim().toLowerCase()
  const hex = plain.replace(/[-:\s{}]/g, '')
  if (!/^[0-9a-f]{32}$/.test(hex)) return plain === '' ? undefined : plain
  if (/^(0{32}|f{32})$/.test(hex)) return undefined

  const bytes = hex.match(/../g) ?? []
  // A member that looks like RFC 4122 is preferred: often it is the one that people see elsewhere.
  return family(bytes)
    .map(uuid)
    .sort((a, b) => Number(looksRight(b)) - Number(looksRight(a)) || (a < b ? -1 : 1))
    .at(0)
}

/** Do both name the same machine? An identity that says nothing equals nothing. */
export function sameIdentity(a: string, b: string): boolean {
  const canonical = canonicalIdentity(a)
  return canonical !== undefined && canonical === canonicalIdentity(b)
}

function family(bytes: readonly string[]): string[][] {
  let members = [[...bytes]]
  for (const order of [swapFields, swapMirrored, reverse]) {
    members = [...members, ...members.map((member) => order.map((from) => member[from] ?? ''))]
  }
  return members
}

function uuid(bytes: readonly string[]): string {
  return bytes.join('').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Versions 1 to 8 and the RFC's own variant. */
function looksRight(text: string): boolean {
  return /^.{14}[1-8].{4}[89ab]/.test(text)
}
