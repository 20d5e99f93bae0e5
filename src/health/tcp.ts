/** Does something take connections there? A connection that is taken is closed at once. */
import { connect } from 'node:net'
import { z } from 'zod'
import { defineCheck } from './check.ts'
import { lookupInTurn } from './names.ts'
import { portOf, troubleOf } from './trouble.ts'

const options = z.strictObject({
  host: z.string().min(1).max(253).meta({ title: 'Address or name to connect to' }),
  port: portOf.meta({ title: 'Its port' }),
})

export const tcp = defineCheck({
  name: 'tcp',
  title: 'A port that takes connections',
  options,
  memory: () => undefined,

  ask: ({ host, port }, { signal }) =>
    new Promise((resolve) => {
      const socket = connect({ host, port, signal, lookup: lookupInTurn })
      socket.once('connect', () => {
        // Whoever serves there need not wait for our goodbye.
        socket.resetAndDestroy()
        resolve({ ok: true, detail: 'connected' })
      })
      // What is destroyed may still fail; only the first word counts.
      socket.on('error', (error) => resolve({ ok: false, detail: troubleOf(error) }))
    }),
})
