/** One parameter of an agent, as its metadata tells it and as stdin and arguments name it. */

export interface Parameter {
  readonly name: string
  /** Its older names, the newest of them first. */
  readonly old?: readonly string[]
  /** Its short option. */
  readonly letter?: string
  readonly type: 'boolean' | 'integer' | 'second' | 'select' | 'string'
  /** What stands for its value in `--name=[value]`. */
  readonly value?: string
  readonly standard?: string
  readonly choices?: readonly string[]
  readonly required?: boolean
  /** Not to be shown. */
  readonly secret?: boolean
  readonly title: string
}

/** Every name by which it may be given. */
export function namesOf({ name, old = [] }: Parameter): readonly string[] {
  return [name, ...old]
}

/** A yes or no by its value; `undefined` where it is neither. */
export function truth(text: string): boolean | undefined {
  if (/^(1|yes|on|true)$/i.test(text)) return true
  return /^(0|no|off|false)$/i.test(text) ? false : undefined
}
