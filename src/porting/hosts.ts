/**
 * Which nodes a stonith device of Pacemaker is for, and by which plug it knows them.
 *
 * @see Pacemaker Explained: pcmk_host_list, pcmk_host_map, pcmk_host_check, pcmk_host_argument.
 */
import type { CibDevice } from './cib.ts'

export interface Hosts {
  /** The nodes that it names, in the spelling of the cluster; `undefined`: it names none. */
  readonly named: readonly string[] | undefined
  /** Named, and no node of this cluster. */
  readonly strangers: readonly string[]
  /** What it calls a node; several where one node has several plugs. */
  plugsOf(node: string): readonly (string | undefined)[]
  /** The parameter that gets the name instead of the plug. */
  readonly argument: string | undefined
}

const hostsMax = 4096

/** Read it for the nodes of a cluster. Pacemaker does not tell upper case from lower case here. */
export function hostsOf({ parameters }: CibDevice, nodes: readonly string[]): Hosts {
  const map = readMap(parameters.get('pcmk_host_map') ?? '')
  const list = (parameters.get('pcmk_host_list') ?? '').split(/[\s,;]+/).filter(Boolean)
  const names = [...new Set([...list, ...map.keys()])].slice(0, hostsMax)
  const known = new Map(nodes.map((node) => [node.toLowerCase(), node]))
  const named = names.flatMap((name) => known.get(name.toLowerCase()) ?? [])
  const strangers = names.filter((name) => !known.has(name.toLowerCase()))
  const check = parameters.get('pcmk_host_check')
  const all = names.length === 0 && check === 'none'
  const aliases = new Map([...map].map(([name, plug]) => [name.toLowerCase(), plug]))
  const asked = parameters.get('pcmk_host_argument')
  const fixed = [asked ?? 'plug', 'plug', 'port'].map((name) => parameters.get(name))
  const set = fixed.find((value) => value !== undefined && value !== 'dynamic')
  return {
    named: all ? nodes : names.length === 0 ? undefined : [...new Set(named)],
    strangers,
    argument: ['plug', 'port', 'none'].includes(asked ?? 'plug') ? undefined : asked,
    plugsOf(node) {
      if (asked === 'none') return [set]
      if (set !== undefined) return [set]
      const alias = aliases.get(node.toLowerCase())
      // All of them have to be off: a step for each.
      return alias === undefined ? [node] : alias.split(',').filter(Boolean)
    },
  }
}

/** `node1:plug1;node2=plug2,plug3`; a backslash keeps what follows it. */
function readMap(text: string): ReadonlyMap<string, string> {
  const map = new Map<string, string>()
  let name: string | undefined
  let word = ''
  const end = () => {
    if (name !== undefined && name !== '' && word !== '') map.set(name, word)
    name = undefined
    word = ''
  }
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? ''
    if (char === '\\' && i + 1 < text.length) {
      i++
      word += text[i]
    } else if (/[;\s]/.test(char)) end()
    else if (name === undefined && /[:=]/.test(char)) {
      name = word
      word = ''
    } else word += char
  }
  end()
  return map
}
