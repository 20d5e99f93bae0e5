/** What is kept of a soak that failed: what daemons, Corosync and BMCs have written, no secrets. */
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Lab, sharedDir } from '../lab/lab.ts'
import { bmcDir, bmcLevels, nodeDir } from '../lab/names.ts'
import type { SoakReport } from './report.ts'

/** Copies it all into `dir`, which is made. */
export function keepArtefacts(lab: Lab, dir: string, report: SoakReport): void {
  const copy = (from: string, to: string) => {
    const isSmall = (file: string) => path.basename(file) !== 'fill'
    if (existsSync(from)) cpSync(from, path.join(dir, to), { recursive: true, filter: isSmall })
  }
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  writeFileSync(path.join(dir, 'report.json'), JSON.stringify(report, undefined, 2))
  copy(path.join(sharedDir(lab), 'writes'), 'writes')
  for (const node of lab.nodes) {
    const from = nodeDir(lab, node)
    copy(path.join(from, 'lib-picket'), `${node}/lib-picket`)
    copy(path.join(from, 'log'), `${node}/log`)
    copy(path.join(from, 'etc-picket/config.yaml'), `${node}/config.yaml`)
    for (const level of bmcLevels) {
      copy(path.join(bmcDir(lab, node, level), 'log'), `${node}/bmc${level}.jsonl`)
    }
  }
}
