/**
 * A program of the user's own: exit code 0 is good, everything else is bad. It runs in a scope of
 * its own; at the bound it is killed with all that it has started.
 */
import { z } from 'zod'
import { accountOf } from '../resources/account.ts'
import { ending } from '../resources/ending.ts'
import { commandLine } from '../resources/exec.ts'
import { defineCheck } from './check.ts'

const options = z.strictObject({
  run: commandLine.meta({ title: 'Program that exits with 0 when all is well' }),
  user: z
    .string()
    .regex(/^[A-Za-z0-9_][\w.-]*\$?$/)
    .optional()
    .meta({ title: 'User that it runs as' }),
  directory: z.string().startsWith('/').optional().meta({ title: 'Directory that it runs in' }),
})

export const exec = defineCheck({
  name: 'exec',
  title: 'A program of your own',
  options,
  memory: () => undefined,

  async ask({ run, user, directory }, { scope, resource }) {
    const account = user === undefined ? undefined : await accountOf(user, scope)
    const env = resource === '' ? {} : { PICKET_RESOURCE: resource }
    const end = await scope.run({ argv: run, account, directory, env })
    if (end.code === 0) return { ok: true, detail: 'exited with 0' }
    return { ok: false, detail: ending(end, run[0]) }
  },
})
