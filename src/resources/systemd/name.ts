/**
 * Names of units, in one spelling only, and which units can be a resource: those whose end can be
 * proven. A stopped target, timer, socket or path leaves running what it has started.
 *
 * @source systemd.unit(5); systemd's unit-name.c (which characters); sd_bus_path_encode(3).
 */

const NAME_MAX = 255
const MANAGED = ['service', 'mount'] as const
const OTHERS = [
  'target',
  'socket',
  'timer',
  'path',
  'swap',
  'automount',
  'slice',
  'scope',
  'device',
]

export type UnitKind = (typeof MANAGED)[number]

/** `nginx` is `nginx.service`. Throws with what is wrong. */
export function parseUnitName(text: string): string {
  const ending = /\.([a-z]+)$/.exec(text)?.[1] ?? ''
  if (OTHERS.includes(ending)) {
    throw new Error(
      `is a ${ending}: what it starts is not stopped with it, or not started by hand; ` +
        'name the .service or the .mount itself',
    )
  }
  const name = MANAGED.some((kind) => kind === ending) ? text : `${text}.service`
  if (!/^[\w:.\\-]+(@[\w:.\\@-]*)?\.[a-z]+$/.test(name) || name.length > NAME_MAX) {
    throw new Error(
      'is no name of a unit, like nginx.service, postgresql@15-main or srv-data.mount',
    )
  }
  if (/@\.[a-z]+$/.test(name)) {
    const example = name.replace('@.', '@NAME.')
    throw new Error(`is a template; name one of its instances, ${example}`)
  }
  return name
}

export function kindOf(unit: string): UnitKind {
  return unit.endsWith('.mount') ? 'mount' : 'service'
}

/** Where systemd shows a unit on the bus. */
export function pathOf(unit: string): string {
  const label = [...Buffer.from(unit)]
    .map((byte, index) => {
      const char = String.fromCharCode(byte)
      const plain = index === 0 ? /[A-Za-z]/ : /[A-Za-z0-9]/
      return plain.test(char) ? char : `_${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
  return `/org/freedesktop/systemd1/unit/${label}`
}
