/** A responder with a machine that a test watches. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Request, Response } from '../../src/recorder/message.ts'
import { type Place, put, readText } from '../../src/recorder/place.ts'
import { type Responder, startResponder } from '../../src/respond/responder.ts'
import type { Attempt, Outcome } from '../../src/respond/work.ts'
import { site, until } from '../recorder/site.ts'

export interface Watched {
  readonly place: Place
  readonly done: { request: Request; attempt: Attempt }[]
  readonly said: string[]
  readonly hooks: string[]
  responder: Responder
  deed: (request: Request, attempt: Attempt) => Promise<Outcome>
  begin(more?: { parallelMax?: number; tries?: number; polling?: boolean }): Promise<void>
}

export async function watched(t: TestContext): Promise<Watched> {
  const { place } = site(t)
  const here: Watched = {
    ...{ place, done: [], said: [], hooks: [] },
    responder: undefined as unknown as Responder,
    deed: async () => ({ success: true, message: 'done' }),
    async begin(more = {}) {
      here.responder = startResponder({
        ...{ place, name: 'test', parallelMax: 8, tries: 1, ...more },
        hooks: {
          before: async ({ action }) => void here.hooks.push(`before ${action}`),
          after: async ({ action }, { success }) =>
            void here.hooks.push(`after ${action} ${success}`),
        },
        say: (level, text) => void here.said.push(`${level}: ${text}`),
        work: {
          nodes: () => ['node-01'],
          carryOut(request, attempt) {
            here.done.push({ request, attempt })
            return here.deed(request, attempt)
          },
        },
      })
      await here.responder.acts
    },
  }
  t.after(() => here.responder?.close())
  return here
}

export async function answerTo(
  place: Place,
  request: Request,
  boundMs = 10_000,
): Promise<Response> {
  const path = join(place.responses, `${request.request_id}.json`)
  await until(() => existsSync(path), boundMs)
  const read = readText(path)
  assert.ok(read?.ok)
  return JSON.parse(read.text)
}

export const write = (place: Place, request: Request) =>
  put(place.requests, request.request_id, JSON.stringify(request))
