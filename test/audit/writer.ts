/** A daemon that does nothing but write its audit log, until it is killed. */
import { openAudit } from '../../src/audit/log.ts'

const [dir = '', bytesMax = String(8 * 2 ** 20)] = process.argv.slice(2)
if (dir === '') throw new Error('a directory is missing')
const say = (_level: string, text: string) => void process.stderr.write(`${text}\n`)
const options = { dir, node: 'a', say, clean: (text: string) => text, gatherMs: 1 }
const audit = openAudit({ ...options, bytesMax: Number(bytesMax), filesMax: 50 })

for (let index = 0; ; index++) {
  audit.note('test', { index, text: 'x'.repeat(index % 500) })
  if (index % 7 === 0) await audit.settled()
  if (index === 20) process.stdout.write('begun\n')
}
