/**
 * The service of the demonstration: says over HTTP which node it runs on, and writes that name with
 * a monotonic stamp into a folder that all nodes share, ten times a second.
 *
 * It is built to give itself away. Ten stamps a second may miss a short overlap, so it also takes a
 * lock that all nodes share, not to be stopped by it but as a witness: who finds it taken has met
 * another writer, and writes that down.
 */
import { spawnSync } from 'node:child_process'
import { openSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import { flushCompileCache } from 'node:module'
import { hostname } from 'node:os'

const [folder = '/srv/shared', port = '8080'] = process.argv.slice(2)
const node = hostname()

const lock = openSync(`${folder}/lock`, 'a')
const log = openSync(`${folder}/writes`, 'a')
const write = (what: string) => {
  writeSync(log, `${Number(process.hrtime.bigint() / 1_000_000n)} ${node} ${process.pid} ${what}\n`)
}

createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', connection: 'close' })
  response.end(`${node}\n`)
}).listen(Number(port))

// The lock belongs to our open file: it stays when the program that took it has ended.
const taken = spawnSync('flock', ['-n', '0'], { stdio: [lock, 'ignore', 'ignore'] })
write(taken.status === 0 ? 'begin' : 'begin-while-locked')
setInterval(() => write('write'), 100)
// Whoever is killed cannot keep its compiled code, and every start of a service is downtime.
setTimeout(() => flushCompileCache(), 1_000)
