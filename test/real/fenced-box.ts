/** Tests that run in a box with the real pacemaker-fenced, and are told outside of it. */
import { createInterface } from 'node:readline'
import { beginWithFenced } from '../../src/lab/fenced.ts'

/** One test that ran in the box, with what it said where it failed. */
export interface Inside {
  readonly name: string
  readonly ok: boolean
  readonly said: string
}

/** Runs a file of tests in a box; what became of each of them. */
export async function testsInBox(
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<readonly Inside[]> {
  const argv = [process.execPath, '--test', '--test-reporter=tap', file]
  const child = beginWithFenced(argv, env)
  const found: { name: string; ok: boolean; said: string }[] = []
  for await (const line of createInterface({ input: child.stdout! })) {
    const [, no, name = ''] = /^(not )?ok \d+ - (.*?)( # .*)?$/.exec(line) ?? []
    if (name !== '') found.push({ name, ok: no === undefined, said: '' })
    else if (found.length > 0) found.at(-1)!.said += `${line}\n`
  }
  return found
}
