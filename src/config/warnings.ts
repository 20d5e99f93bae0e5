/** What a configuration is allowed to say, and what has to be said about it at every start. */
import type { NodeConfig } from '../core/model.ts'
import type { Device } from './fence.ts'
import { isSecret } from './merge.ts'
import { readText } from './read.ts'
import type { ConfigFile } from './schema.ts'
import { deviceText } from './show.ts'

/** What a configuration is loaded from, as far as it may call for a warning. */
export interface Warned {
  readonly config: ConfigFile
  readonly nodes: readonly NodeConfig[]
  readonly devices: readonly Device[]
  readonly file: string
  /** The mode of that file. */
  readonly mode: number
}

export function warningsOf(warned: Warned): readonly string[] {
  return [
    ...warningsOfFile(warned),
    ...unpinned(warned.devices),
    ...unencrypted(warned.devices),
    ...unreadable(warned.devices),
  ]
}

function warningsOfFile({ config, nodes, mode, file }: Warned): readonly string[] {
  const { fence } = config
  const warnings: string[] = []
  if ((mode & 0o002) !== 0) {
    warnings.push(
      `Everybody may change ${file}, and with it what runs as root: chmod o-w '${file}'`,
    )
  }
  if (!fence.enabled) {
    warnings.push(
      'Fencing is switched off (fence.enabled: false): what a lost node held is not started ' +
        'elsewhere before that node is back and says what it runs.',
    )
  } else {
    for (const { id, role } of nodes.filter(({ levels }) => levels.length === 0)) {
      if (role === 'witness') {
        warnings.push(
          `${id} has no fence device: a witness that is lost holds nothing, but after a start of ` +
            'the whole cluster without it nobody knows that, and nothing starts before it is ' +
            'back, or a person confirms that it is dead.',
        )
        continue
      }
      warnings.push(
        `${id} has no fence device: when it is lost, nothing that it held is started elsewhere ` +
          'before it is back, or a person confirms that it is dead.',
      )
    }
  }
  if (nodes.length === 2) {
    warnings.push(
      'Two nodes take over from each other only where corosync.conf has two_node: 1, or better a ' +
        'quorum device: one alone is not a majority. A third node is better still.',
    )
  }
  warnings.push(...unlimited(config))
  if (!fence.verify && config.cluster.nodes.some(({ addresses }) => addresses !== undefined)) {
    warnings.push(
      'Addresses are not listened to (fence.verify: false): a node counts as dead on the word of ' +
        'its power device alone.',
    )
  }
  if (fence.max_retries !== undefined) {
    warnings.push(
      `fence.max_retries (${fence.max_retries}) is no limit here: a lost node is fenced again, ` +
        'with growing gaps, until it is proven off.',
    )
  }
  return warnings
}

/** What is needed, and limited nowhere: perhaps the name is another one there. */
function unlimited({ cluster, resources }: ConfigFile): readonly string[] {
  const limited = new Set(cluster.nodes.flatMap(({ capacity }) => Object.keys(capacity)))
  const needed = Map.groupBy(
    resources.flatMap(({ id, needs }) => Object.keys(needs).map((kind) => ({ id, kind }))),
    ({ kind }) => kind,
  )
  return [...needed].flatMap(([kind, by]) => {
    if (limited.has(kind)) return []
    const ids = by.map(({ id }) => id).join(', ')
    const known = [...limited].join(', ') || 'nothing'
    return `${kind}, which ${ids} needs, is limited on no node: capacity there names ${known}.`
  })
}

/** Devices over HTTPS of which nobody looks at the certificate: anybody may answer for them. */
function unpinned(devices: readonly Device[]): readonly string[] {
  const open = devices.filter(
    ({ options }) =>
      options.verify_ssl === false && !options.fingerprint && plainHost(options) === undefined,
  )
  return byBox(open, (box, ids, node) => {
    return (
      `Whoever answers for ${box} is believed and gets its login (${ids}: verify_ssl: false ` +
      `without a fingerprint): pin the one that \`picket fence check ${node}\` tells.`
    )
  })
}

/** Devices that are told a login over plain HTTP: everybody on the way reads it, and may answer. */
function unencrypted(devices: readonly Device[]): readonly string[] {
  const open = devices.filter(({ driver, options }) => {
    const host = plainHost(options)
    if (host === undefined || /^(localhost|127\.[\d.]+|\[::1\])$/.test(host)) return false
    const set = Object.keys(options).filter((key) => options[key] !== undefined)
    return set.some((key) => key === 'user' || isSecret(driver, key))
  })
  return byBox(open, (box, ids) => {
    return (
      `Whoever is on the way to ${box} reads its login and may answer for it (${ids}: plain ` +
      'http://): write https://, where the device has it.'
    )
  })
}

/** Files of certificates without which a device trusts nobody. They are read when it is asked. */
function unreadable(devices: readonly Device[]): readonly string[] {
  const files = Map.groupBy(devices, ({ options }) => options.ca_file)
  return [...files].flatMap(([file, own]) => {
    if (typeof file !== 'string') return []
    const read = readText(file, false)
    if (read.ok) return []
    const ids = own.map(({ id }) => id).join(', ')
    return [`ca_file ${file} of ${ids}: ${read.problem.message}. Until then none of them works.`]
  })
}

/** The host of a plain `http://`. */
function plainHost({ url }: Device['options']): string | undefined {
  if (typeof url !== 'string' || !URL.canParse(url)) return undefined
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' ? hostname : undefined
}

/** One sentence for all devices of one box. */
function byBox(
  devices: readonly Device[],
  say: (box: string, ids: string, node: string) => string,
): readonly string[] {
  return [...Map.groupBy(devices, deviceText)].map(([box, own]) =>
    say(box, own.map(({ id }) => id).join(', '), own[0]?.node ?? ''),
  )
}
