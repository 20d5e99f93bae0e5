/**
 * Whose audit log lies in a directory, and why there is none: picketd's own, or one of those that
 * `picket fence` keeps of orders without picketd, one for each node, in `orders/NODE`.
 */
import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { newestFile } from '../audit/files.ts'
import { didYouMean } from '../config/suggest.ts'

export type Writer = 'picketd' | 'picket fence'

/** Who writes the log in this directory, also where there is none yet. */
export function writerIn(dir: string): Writer {
  const ofOrders = basename(dirname(resolve(dir))) === 'orders'
  return ofOrders || existsSync(join(dir, 'order.lock')) ? 'picket fence' : 'picketd'
}

/** A directory without a log. */
export function noLog(dir: string): string {
  if (writerIn(dir) === 'picket fence') return `there is no audit log in ${dir}: ${noOrder(dir)}`
  const logs = logsOfOrders(dir)
  const known = 'picketd begins it when it joins its cluster; --state DIR names another place'
  const because = logs.length === 0 ? known : ofOrders(logs)
  return `there is no audit log in ${dir}: ${because}.`
}

/** Why nothing of the log could be read. */
export function whyNot(dir: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    if (writerIn(dir) === 'picket fence') return `there is no directory ${dir}: ${noOrder(dir)}`
    return `there is no directory ${dir}: picketd has not run here, or --state DIR names another.`
  }
  if (code === 'EACCES') return `you may not read the audit log in ${dir}: run it as root.`
  return `the audit log in ${dir} cannot be read: ${message}.`
}

function noOrder(dir: string): string {
  const node = basename(resolve(dir))
  const others = logsOfOrders(dirname(resolve(dir))).map((log) => basename(log))
  const hint = didYouMean(node, others)
  return `no order for ${node} has been carried out without picketd from here.${hint}`
}

function ofOrders(logs: readonly string[]): string {
  const [first = '', ...more] = logs
  const others = more.length === 0 ? '' : ` (and ${more.length} more there)`
  return `each node that got orders without picketd has its own: --state ${first}${others}`
}

/** The logs of orders below this directory, whether it is `orders` itself or holds it. */
function logsOfOrders(dir: string): readonly string[] {
  return [dir, join(dir, 'orders')].flatMap((place) =>
    namesIn(place)
      .map((name) => join(place, name))
      .filter((log) => writerIn(log) === 'picket fence' && existsSync(join(log, newestFile))),
  )
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir).sort()
  } catch {
    return []
  }
}
