/**
 * One request to a web server: good when the status is one of those that are expected, and the
 * answer holds the text that it has to. No proxy, no login, no connection that is kept; of the body
 * the beginning is read. Over HTTPS the certificate is checked, unless `insecure` says otherwise.
 */
import { type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import { z } from 'zod'
import { readPlainFile } from '../fence/plain-file.ts'
import { type Answer, defineCheck, short } from './check.ts'
import { lookupInTurn } from './names.ts'
import { troubleOf } from './trouble.ts'

const BODY_MAX_BYTES = 65_536
const CA_MAX_BYTES = 1 << 20
const RANGE = /^([1-5]\d\d)-([1-5]\d\d)$/

/** Names and values of headers that let somebody in: this file is no place for them. */
const secretName = /^(proxy-)?authorization$|cookie|token|secret|passw|api-?key|^x-auth/i

const headers = z
  .record(
    z.string().regex(/^[\w-]+$/, 'is not the name of a header'),
    z.string().regex(/^[\t\x20-\x7e]*$/, 'holds what no header can hold'),
  )
  .superRefine((all, { addIssue }) => {
    for (const name of Object.keys(all).filter((each) => secretName.test(each))) {
      const message = 'this looks like a secret; ask with an exec check that reads it from a file'
      addIssue({ code: 'custom', path: [name], message })
    }
  })

const options = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'is not an http or https URL' })
      .max(2_048)
      .refine((text) => !text.includes('@'), 'holds a login; a check has none')
      .meta({ title: 'What is asked for' }),
    method: z.enum(['GET', 'HEAD', 'OPTIONS']).default('GET').meta({ title: 'HTTP method' }),
    status: z
      .array(z.union([z.int().min(100).max(599), z.string().regex(RANGE, 'write it like 200-299')]))
      .min(1)
      .default(['200-299'])
      .meta({ title: 'Statuses that are good: numbers, and ranges like `200-299`' }),
    contains: z
      .string()
      .min(1)
      .max(1_024)
      .optional()
      .meta({ title: 'Text that has to stand in the first 64 KiB of the answer' }),
    headers: headers.default({}).meta({ title: 'Headers of the request, `host` among them' }),
    redirects: z.int().min(0).max(5).default(0).meta({
      title: 'How many redirects are followed; without it they are answers like any other',
    }),
    ca_file: z
      .string()
      .min(1)
      .optional()
      .meta({ title: 'Certificates (PEM) that are trusted instead of those of the system' }),
    insecure: z.boolean().default(false).meta({ title: 'Take any certificate' }),
  })
  .refine(({ method, contains }) => method === 'GET' || contains === undefined, {
    path: ['contains'],
    error: 'needs the method GET: others have no body',
  })
  .refine(({ insecure, ca_file }) => !insecure || ca_file === undefined, {
    path: ['insecure'],
    error: 'takes any certificate, so that ca_file would mean nothing; keep one of them',
  })

type Options = z.output<typeof options>

export const http = defineCheck({
  name: 'http',
  title: 'A web server that answers as it should',
  options,
  memory: () => undefined,
  ask: (options, { signal }) => ask(options, options.url, options.redirects, signal),
})

async function ask(
  options: Options,
  url: string,
  redirectsLeft: number,
  signal: AbortSignal,
): Promise<Answer> {
  let answer: IncomingMessage
  try {
    answer = await requested(options, url, signal)
  } catch (error) {
    return { ok: false, detail: troubleOf(error as Error) }
  }
  try {
    const { statusCode = 0, headers: said } = answer
    const next = said.location
    if (statusCode >= 300 && statusCode < 400 && next !== undefined && redirectsLeft > 0) {
      if (!URL.canParse(next, url)) return { ok: false, detail: 'it redirects to nowhere' }
      const to = new URL(next, url)
      if (!/^https?:$/.test(to.protocol)) return { ok: false, detail: `it redirects to ${to}` }
      return await ask(options, to.href, redirectsLeft - 1, signal)
    }
    const detail = `status ${statusCode}`
    if (!isExpected(options.status, statusCode)) return { ok: false, detail }
    if (options.contains === undefined) return { ok: true, detail }
    const body = await beginningOf(answer)
    if (body.includes(options.contains)) return { ok: true, detail }
    return { ok: false, detail: `${detail}, without ${JSON.stringify(short(options.contains))}` }
  } catch (error) {
    return { ok: false, detail: `its answer broke off: ${troubleOf(error as Error)}` }
  } finally {
    answer.destroy()
  }
}

function requested(options: Options, url: string, signal: AbortSignal): Promise<IncomingMessage> {
  const { method, headers, ca_file, insecure } = options
  return new Promise((resolve, reject) => {
    const isSecure = url.startsWith('https:')
    const tls = {
      rejectUnauthorized: !insecure,
      ...(ca_file !== undefined && { ca: readPlainFile(ca_file, CA_MAX_BYTES) }),
    }
    const common = {
      ...{ method, signal, agent: false, lookup: lookupInTurn },
      headers: { connection: 'close', ...headers },
    } as const
    const asked = isSecure
      ? requestSecure(url, { ...common, ...tls }, resolve)
      : requestPlain(url, common, resolve)
    asked.on('error', reject)
    asked.end()
  })
}

/** An answer without end is cut; one that comes byte by byte ends at the bound of the check. */
async function beginningOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer) {
    chunks.push(chunk as Buffer)
    bytes += (chunk as Buffer).length
    if (bytes >= BODY_MAX_BYTES) break
  }
  return Buffer.concat(chunks).subarray(0, BODY_MAX_BYTES).toString('utf8')
}

function isExpected(expected: Options['status'], status: number): boolean {
  return expected.some((each) => {
    if (typeof each === 'number') return each === status
    const [, from, to] = RANGE.exec(each) ?? []
    return status >= Number(from) && status <= Number(to)
  })
}
