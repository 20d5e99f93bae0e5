/**
 * How processes are kept together: the port that `cgroup.ts` and `marker.ts` fill.
 *
 * A scope has a name, `resource/op-nonce`, and a gate: a file that every program of the scope has
 * to pass on its way in. Once the gate is gone nobody can enter any more, so "the gate is gone,
 * then nobody was inside" is proof, also against a program that a killed daemon had only just
 * forked.
 */
export type MechanismKind = 'cgroup2' | 'cgroup1' | 'marker'

export interface Mechanism {
  readonly kind: MechanismKind
  /** Where it keeps its scopes, for the log. */
  readonly place: string
  /** Opens the gate. Throws when it cannot. */
  create(name: string): void
  /** The file that lets a program in; see the wrapper in `program.ts`. */
  gate(name: string): string
  /** Every scope that exists, whoever made it. */
  list(): Promise<readonly string[]>
  /** The live processes inside. Throws when that cannot be told. */
  pids(names: readonly string[]): Promise<readonly number[]>
  /** One round of SIGKILL. */
  kill(names: readonly string[]): Promise<void>
  /** Closes the gate for good; true when nobody is inside. */
  remove(name: string): Promise<boolean>
  /** A file that changes when the scope becomes empty, where the kernel offers one. */
  events(name: string): string | undefined
}
