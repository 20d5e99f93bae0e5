/** Who this life of the daemon is: its own id, the boot it lives in, and the hardware under it. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Identity } from '../core/model.ts'
import { canonicalIdentity } from '../fence/identity.ts'

export interface IdentityFiles {
  /** A directory that does not survive a boot, normally below `/run`. */
  readonly runDir: string
  /** An operator's word on the hardware's uuid; goes before what the firmware says. */
  readonly hardwareFile?: string
  readonly firmwareFile?: string
  readonly kernelBootFile?: string
}

/**
 * Reads the identity, and marks this boot if nobody has yet. The hardware is told in the form in
 * which fence devices tell theirs: they are compared, and a node whose uuid seems to be another's
 * could not be fenced (S15).
 */
export function readIdentity({
  runDir,
  hardwareFile = '/etc/picket/hardware-uuid',
  firmwareFile = '/sys/class/dmi/id/product_uuid',
  kernelBootFile = '/proc/sys/kernel/random/boot_id',
}: IdentityFiles): Identity {
  const found = uuidIn(hardwareFile) ?? uuidIn(firmwareFile)
  const hardware = found === undefined ? undefined : canonicalIdentity(found)
  const identity = { incarnation: randomUUID(), boot: bootOf(runDir, kernelBootFile) }
  return hardware === undefined ? identity : { ...identity, hardware }
}

/**
 * The boot, from two witnesses: the kernel's id, which all containers of one machine share, and a
 * mark in the run directory, which a strange machine might keep over a boot. Another boot is
 * another id as soon as one of them is another.
 */
function bootOf(runDir: string, kernelBootFile: string): string {
  const kernel = textIn(kernelBootFile) ?? ''
  return createHash('sha256')
    .update(`${kernel}\n${markOf(runDir)}`)
    .digest('hex')
    .slice(0, 32)
}

function markOf(runDir: string): string {
  const path = join(runDir, 'boot-id')
  const known = textIn(path)
  if (known) return known
  mkdirSync(runDir, { recursive: true, mode: 0o755 })
  const mark = randomUUID()
  writeFileSync(path, `${mark}\n`, { mode: 0o644 })
  return mark
}

/** Uuids that boards carry whose maker never wrote one: many machines share each of them. */
const junk: readonly RegExp[] = [
  /^([0-9a-f])\1{7}-(\1{4}-){3}\1{12}$/,
  /^03000200-0400-0500-0006-000700080009$/,
  /^12345678-1234-5678-90ab-cddeefaabbcc$/,
  /^fefefefe-fefe-fefe-fefe-fefefefefefe$/,
]

function uuidIn(path: string): string | undefined {
  const uuid = textIn(path)?.toLowerCase()
  if (uuid === undefined || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) return
  return junk.some((pattern) => pattern.test(uuid)) ? undefined : uuid
}

function textIn(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').slice(0, 200).trim()
  } catch {
    return undefined
  }
}
