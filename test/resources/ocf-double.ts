/**
 * An OCF resource agent for tests: a POSIX shell script below an OCF root of its own, that keeps
 * the standard, and that can be told to fail in the ways of a program.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export const agentName = 'ocf:test:double'

const parameter = (name: string, attributes: string, content: string): string => `
  <parameter name="${name}" ${attributes}>
    <longdesc lang="en">The ${name}</longdesc>
    <shortdesc lang="en">The ${name}</shortdesc>
    ${content}
  </parameter>`

export const ocfMetadata = (
  timeout = '20s',
  more: readonly string[] = [],
): string => `<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="double" version="1.0">
<version>1.1</version>
<longdesc lang="en">A file that is there &amp; nothing else.</longdesc>
<shortdesc lang="en">A file</shortdesc>
<parameters>${[
  parameter('place', 'unique="1" required="1"', '<content type="string" />'),
  parameter('count', '', '<content type="integer" default="3" />'),
  parameter('loud', '', '<content type="boolean" default="no" />'),
  parameter('wait', '', '<content type="time" default="5s" />'),
  parameter('mode', '', '<content type="select"><option value="a"/><option value="b"/></content>'),
  parameter('password', '', '<content type="string" />'),
].join('')}
</parameters>
<actions>
<action name="start" timeout="${timeout}" />
<action name="stop" timeout="${timeout}" />
<action name="monitor" timeout="10" interval="10s" depth="0" />
<action name="meta-data" timeout="5s" />
<action name="validate-all" timeout="5s" />
${more.map((action) => `<action name="${action}" timeout="${timeout}" />`).join('')}
</actions>
</resource-agent>
`

const script = (dir: string): string => `#!/bin/sh
dir='${dir}'
echo "$1" >>"$dir/calls"
env >"$dir/env.$1"
[ -e "$dir/on.$1" ] && . "$dir/on.$1"
case $1 in
start) touch "$dir/up" ;;
stop) rm -f "$dir/up" ;;
monitor) [ -e "$dir/up" ] || exit 7 ;;
migrate_to) rm -f "$dir/up" ;;
migrate_from) touch "$dir/up" ;;
validate-all) ;;
meta-data) cat "$dir/metadata" ;;
*) exit 3 ;;
esac
`

export interface OcfDouble {
  readonly file: string
  /** What it does first when it is asked for an action; nothing special without a body. */
  on(action: string, body?: string): void
  isUp(): boolean
  setMetadata(xml: string): void
  /** The environment of the last call for an action. */
  env(action: string): ReadonlyMap<string, string>
  calls(): readonly string[]
  uninstall(): void
}

/** Installs the double below an OCF root that is the standard's for the length of one test. */
export function createOcfDouble(t: TestContext, dir: string): OcfDouble {
  const root = join(dir, 'ocf')
  const folder = join(root, 'resource.d', 'test')
  const state = join(dir, 'double')
  mkdirSync(folder, { recursive: true })
  mkdirSync(state)
  const put = (file: string, text: string): void => writeFileSync(join(state, file), text)
  const get = (file: string): string => readFileSync(join(state, file), 'utf8')
  put('calls', '')
  put('metadata', ocfMetadata())
  const file = join(folder, 'double')
  writeFileSync(file, script(state), { mode: 0o755 })
  const before = process.env.OCF_ROOT
  process.env.OCF_ROOT = root
  t.after(() => {
    if (before === undefined) delete process.env.OCF_ROOT
    else process.env.OCF_ROOT = before
  })
  return {
    file,
    on(action, body) {
      if (body === undefined) rmSync(join(state, `on.${action}`), { force: true })
      else put(`on.${action}`, `${body}\n`)
    },
    isUp: () => existsSync(join(state, 'up')),
    setMetadata: (xml) => put('metadata', xml),
    env: (action) =>
      new Map(
        get(`env.${action}`)
          .split('\n')
          .filter((line) => line.includes('='))
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      ),
    calls: () => get('calls').split('\n').slice(0, -1),
    uninstall: () => rmSync(file),
  }
}
