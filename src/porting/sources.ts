/**
 * Where an import reads from: a file, or the cluster that runs here. All of it is bounded, and a
 * sentence about it never repeats what stands in it.
 */
import { join, resolve } from 'node:path'
import { builtIn } from '../config/catalog.ts'
import type { Problem } from '../config/problem.ts'
import { readText } from '../config/read.ts'
import { parseYaml } from '../config/yaml.ts'
import { ChildError, runChild } from '../foreign/child.ts'
import { printable } from '../foreign/printable.ts'
import { readCib } from './cib.ts'
import type { Draft } from './draft.ts'
import { draftOfInventory } from './inventory.ts'
import { draftOfCib, type SecretOf } from './pacemaker.ts'
import { readXml } from './xml.ts'

export type ReadResult =
  | { readonly ok: true; readonly draft: Draft; readonly file: string }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** The status of a large cluster is in it. */
const cibBytesMax = 16 << 20
const CIB_MAX_MS = 20_000
const countMax = 1_000
const secretBytesMax = 64 << 10

export async function readInventory(path: string): Promise<ReadResult> {
  const file = resolve(path)
  const read = readText(file, false)
  if (!read.ok) return { ok: false, problems: [read.problem] }
  const parsed = parseYaml(file, read.text, true)
  if (!parsed.ok) return parsed
  const result = await draftOfInventory(parsed.source, builtIn)
  if (!result.ok) return result
  const { draft } = result
  const others = (read.stats.mode & 0o077) !== 0
  const text = `it holds passwords and others may read it: chmod 0600 '${file}'`
  const remarks = [...draft.remarks, ...(others ? [{ lost: false, line: 0, text }] : [])]
  return { ok: true, file, draft: { ...draft, remarks } }
}

export interface ClusterTerms {
  readonly cib?: string | undefined
  readonly secrets?: string | undefined
}

export async function readCluster({ cib, secrets }: ClusterTerms): Promise<ReadResult> {
  const file = cib === undefined ? 'cibadmin -Q' : resolve(cib)
  const read = cib === undefined ? await askCluster() : textOf(file)
  const fail = (line: number, message: string): ReadResult => ({
    ok: false,
    problems: [{ file, line, column: line === 0 ? 0 : 1, message }],
  })
  if (typeof read !== 'string') return fail(0, read.why)
  const parsed = readXml(read)
  if (!parsed.ok) return fail(parsed.line, `${parsed.message}; give the output of cibadmin -Q`)
  const found = readCib(parsed.root)
  if (found === undefined) return fail(1, 'this is no CIB; give the output of cibadmin -Q')
  if (found.devices.length === 0) return fail(0, 'this CIB holds no stonith device')
  if (Math.max(found.devices.length, found.nodes.length, found.levels.length) > countMax) {
    return fail(0, `this CIB has more than ${countMax} nodes, devices or levels, as no cluster has`)
  }
  const origin = `Made from the CIB ${file} by picket import pacemaker.`
  const directory = resolve(secrets ?? '/var/lib/pacemaker/lrm/secrets')
  return { ok: true, file, draft: await draftOfCib(found, origin, builtIn, reader(directory)) }
}

type TextOrWhy = string | { readonly why: string }

function textOf(file: string): TextOrWhy {
  const read = readText(file, false, cibBytesMax)
  return read.ok ? read.text : { why: read.problem.message }
}

async function askCluster(): Promise<TextOrWhy> {
  const mend = 'run it as root on a node of the running cluster, or give a CIB with --cib FILE'
  try {
    const { code, stdout, stderr } = await runChild('cibadmin', ['-Q'], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      signal: AbortSignal.timeout(CIB_MAX_MS),
      outputMaxBytes: cibBytesMax,
    })
    return code === 0 ? stdout : { why: `it failed (${printable(stderr, 120)}): ${mend}` }
  } catch (error) {
    if (!(error instanceof ChildError)) throw error
    return { why: `${printable(error.message, 120)}: ${mend}` }
  }
}

/** CIB secrets, one file for each parameter of each device. */
function reader(directory: string): SecretOf {
  return (device, parameter) => {
    const plain = [device, parameter].every((name) => /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name))
    if (!plain) return { why: 'its name is none of a file' }
    const file = join(directory, device, parameter)
    const read = readText(file, true, secretBytesMax)
    if (!read.ok) return { why: `${file}: ${read.problem.message}` }
    // As Pacemaker reads it.
    return { value: read.text.trimEnd() }
  }
}
