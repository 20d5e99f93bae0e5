/**
 * Many power outlets with a web interface each, in a process of their own so that their work is not
 * taken for ours. An outlet accepts an off at once and is off after `slowMs`; it can be told to
 * hang.
 */
import { fork } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { http } from '../fence/drivers/http.ts'
import type { Target } from './member.ts'

export interface Outlets {
  /** One target for each outlet. */
  readonly targets: readonly Target[]
  /** All are on, and only this one hangs. */
  reset(hung: number | undefined): Promise<void>
  close(): void
}

/** Starts so many outlets. */
export async function startOutlets(count: number, slowMs: number): Promise<Outlets> {
  const child = fork(fileURLToPath(import.meta.url), [`${count}`, `${slowMs}`])
  const heard = () =>
    new Promise<readonly number[]>((done, failed) => {
      child.once('message', (ports) => done(ports as number[]))
      child.once('exit', () => failed(new Error('the outlets have ended')))
    })
  const ports = await heard()
  return {
    targets: ports.map((port, index) => targetOf(port, index)),
    async reset(hung) {
      const answer = heard()
      child.send({ hung })
      await answer
      child.removeAllListeners('exit')
    },
    close: () => void child.kill('SIGKILL'),
  }
}

function targetOf(port: number, index: number): Target {
  const node = `target${index}`
  const options = {
    url: `http://127.0.0.1:${port}`,
    off: { path: '/off' },
    on: { path: '/on' },
    status: { path: '/state', off: ['off'], on: ['on'] },
  }
  return { node, device: { id: `${node}/1/1`, driver: http, options } }
}

/** The other process: serves until its parent is gone. */
async function serve(count: number, slowMs: number): Promise<void> {
  const power = Array.from({ length: count }, () => 'on')
  let hung: number | undefined
  const ports: number[] = []
  const servers: Server[] = []
  for (let index = 0; index < count; index++) {
    const server = createServer((request, response) => {
      if (index === hung) return
      if (request.url === '/off') setTimeout(() => (power[index] = 'off'), slowMs)
      if (request.url === '/on') power[index] = 'on'
      response.end(power[index])
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    servers.push(server)
    ports.push((server.address() as AddressInfo).port)
  }
  process.on('disconnect', () => process.exit())
  process.on('message', (wish: { hung?: number }) => {
    // Whoever waits for one that hung is let go.
    for (const server of servers) server.closeAllConnections()
    power.fill('on')
    hung = wish.hung
    process.send?.(ports)
  })
  process.send?.(ports)
}

if (import.meta.main) await serve(Number(process.argv[2]), Number(process.argv[3]))
