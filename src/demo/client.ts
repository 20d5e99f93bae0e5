/**
 * A client of the demonstration's service: asks a URL (`http:`, or `tcp:` for the bare address)
 * every 20 ms and prints one line for each answer, `asked answered node` in monotonic milliseconds.
 * What is not answered in time prints nothing.
 */
import { get } from 'node:http'
import { connect } from 'node:net'

const [url = 'http://10.77.0.100:8080/', everyMs = '20'] = process.argv.slice(2)
const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000

/**
 * Knocks at a port that nobody listens on: a refusal comes from the machine that has the address.
 */
function knock(host: string, port: number): void {
  const askedMs = nowMs()
  const socket = connect({ host, port, timeout: 300 })
  socket.on('timeout', () => socket.destroy())
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') console.log(`${askedMs} ${nowMs()} somebody`)
  })
}

function ask(): void {
  const askedMs = nowMs()
  const request = get(url, { agent: false, timeout: 1000 }, (response) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (part) => {
      if (text.length < 256) text += part
    })
    response.on('end', () => console.log(`${askedMs} ${nowMs()} ${text.trim()}`))
    response.on('error', () => {})
  })
  request.on('timeout', () => request.destroy())
  request.on('error', () => {})
}

const { protocol, hostname, port } = new URL(url)
const once = protocol === 'tcp:' ? () => knock(hostname, Number(port)) : ask
setInterval(once, Number(everyMs))
