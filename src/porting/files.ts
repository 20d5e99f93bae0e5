/**
 * The two files of an import: the config, and beside it the secrets (0600). What was kept as a
 * comment stands where it belongs: what may be seen at its node, its secrets in the secrets file.
 */
import { closeSync, existsSync, fchmodSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { secretsName } from '../config/secrets.ts'
import type { Draft, DraftNode, DraftStep } from './draft.ts'

export interface Written {
  readonly config: string
  readonly secrets: string
}

/** The text of config.yaml. It holds no secret. */
export function configText({ cluster, origin, nodes, fence, remarks }: Draft): string {
  const told = remarks.map(({ lost, text }) => `${lost ? '! ' : '- '}${text}`)
  const head = [
    origin,
    'Look at every step, then: picket config check, picket fence check.',
    ...(told.length > 0 ? ['What was not carried over as it was (! has to be seen to):'] : []),
    ...told,
  ]
  const sections = Object.keys(fence).length > 0 ? yaml({ fence }) : []
  return [
    ...head.flatMap((text) => commented(text, '')),
    'cluster:',
    `  name: ${stringify(cluster).trim()}`,
    '  nodes:',
    ...nodes.flatMap(nodeLines),
    ...sections,
    '',
  ].join('\n')
}

function nodeLines({ name, addresses, priority, levels, kept }: DraftNode): readonly string[] {
  const entry = {
    name,
    ...(priority > 0 && { priority }),
    ...(addresses.length > 0 && { addresses: { cluster: addresses } }),
    ...(levels.length > 0 && {
      fence: levels.map(({ steps, verify }) => {
        const all = [...steps.map(stepOf), ...(verify ? ['verify'] : [])]
        return all.length === 1 ? all[0] : all
      }),
    }),
  }
  const lines = yaml([entry]).map((line) => `    ${line}`)
  const comments = kept.flatMap(({ why, open }) => [
    ...commented(`Not a step: ${why}`, '      '),
    ...yaml([open]).flatMap((line) => commented(line, '      ')),
  ])
  return [...lines, ...comments]
}

const stepOf = ({ driver, options, common }: DraftStep) => ({ driver, ...options, ...common })

/** The text of the secrets file, by driver and node. */
export function secretsText({ nodes, origin }: Draft): string {
  const drivers: Record<string, Record<string, unknown>> = {}
  for (const { name, levels } of nodes) {
    for (const { driver, secrets } of levels.flatMap(({ steps }) => steps)) {
      if (Object.keys(secrets).length === 0) continue
      drivers[driver] = { ...drivers[driver], [name]: secrets }
    }
  }
  const kept = nodes.flatMap(({ name, kept }) =>
    kept
      .filter(({ secrets }) => Object.keys(secrets).length > 0)
      .flatMap(({ why, open, secrets }) => [
        ...commented(`Not in use at ${name}: ${why}`, ''),
        ...yaml({ [String(open.driver ?? 'device')]: { [name]: secrets } }).flatMap((line) =>
          commented(line, ''),
        ),
      ]),
  )
  const body = Object.keys(drivers).length > 0 ? yaml(drivers) : []
  return [...commented(`Secrets, mode 0600. ${origin}`, ''), ...body, ...kept, ''].join('\n')
}

function yaml(value: unknown): readonly string[] {
  return stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 }).trimEnd().split('\n')
}

/** A comment is one line, whatever stands in it. */
function commented(text: string, indent: string): readonly string[] {
  return [`${indent}# ${text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')}`.trimEnd()]
}

/** Why nothing can be written there: what is there is never written over. */
export function whyNotInto(directory: string): string | undefined {
  const there = ['config.yaml', secretsName].map((name) => join(directory, name)).find(existsSync)
  if (there === undefined) return undefined
  return `${there} is there already, and is not written over: name another directory with --out`
}

/** Write both files. Throws where the system does not let it. */
export function writeDraft(directory: string, draft: Draft): Written {
  mkdirSync(directory, { recursive: true })
  const secrets = join(directory, secretsName)
  const config = join(directory, 'config.yaml')
  create(secrets, secretsText(draft), 0o600)
  create(config, configText(draft), 0o644)
  return { config, secrets }
}

/** A file that was not there. Nobody else can open it before its mode is right. */
function create(file: string, text: string, mode: number): void {
  const fd = openSync(file, 'wx', mode & 0o700)
  try {
    fchmodSync(fd, mode)
    writeSync(fd, text)
  } finally {
    closeSync(fd)
  }
}
