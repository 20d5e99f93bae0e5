/**
 * A fence agent for tests: a POSIX shell script that keeps the contract of foreign agents, with a
 * plug whose power is a file, and that can fail in the ways of a program.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Fault } from './faults.ts'

export const password = ' canary "0815"'

const parameter = (name: string, required: 0 | 1, content: string, getopt = name): string => `
  <parameter name="${name}" unique="0" required="${required}">
    <getopt mixed="--${getopt}=[${getopt}]" />
    ${content}
    <shortdesc lang="en">The ${name}, e.g. &lt;${name}&gt;</shortdesc>
  </parameter>`

export const metadata = (on = 'automatic="0"'): string => `<?xml version="1.0" ?>
<resource-agent name="fence_double" shortdesc="Fence agent for a file" >
<longdesc>Switches a file &amp; nothing else.</longdesc>
<vendor-url></vendor-url>
<parameters>${[
  parameter('action', 1, '<content type="string" default="reboot"  />'),
  parameter('ip', 1, '<content type="string"  />'),
  parameter('ipaddr', 1, '<content type="string"  />', 'ip'),
  parameter('passwd', 1, '<content type="string"  />'),
  parameter('ssl', 0, '<content type="boolean"  />'),
  parameter('power_timeout', 0, '<content type="second" default="20"  />'),
  parameter('type', 0, '<content type="select"><option value="a&quot;b" /></content>'),
  parameter('plug', 1, '<content type="string"  />', 'plug'),
  parameter('port', 1, '<content type="string"  />', 'plug'),
].join('')}
</parameters>
<actions>
  <action name="on" ${on}/>
  <action name="off" />
  <action name="status" />
  <action name="list" />
  <action name="list-status" />
  <action name="metadata" />
</actions>
</resource-agent>
`

/** Reads all of stdin first; `$dir/fault` says what goes wrong, `$dir/calls` counts. */
const script = (dir: string, known: string): string => `#!/bin/sh
dir='${dir}'
[ "$*" = '-o metadata' ] && { cat "$dir/metadata"; exit 0; }
[ $# = 0 ] || exit 1
action= plug= passwd=
while IFS= read -r line; do
  line=$(printf '%s' "$line" | sed 's/^ *//; s/ *$//')
  value=\${line#*=}
  case $value in \\"*\\") value=\${value#?} value=\${value%?} ;; esac
  case $line in action=*) action=$value ;; plug=*) plug=$value ;; passwd=*) passwd=$value ;; esac
done
echo "$action" >>"$dir/calls"
fault=$(cat "$dir/fault")
case $fault in
hang) sleep 61.${process.pid} ;;
reset) kill -9 $$ ;;
'huge answer') yes off ;;
401) echo 'Unable to connect/login to fencing device' >&2; exit 1 ;;
500) exit 127 ;;
404) echo 'Failed: plug is not available' >&2; exit 1 ;;
409) echo 'Failed: not in this state' >&2; exit 1 ;;
429) echo 'Failed: too many sessions' >&2; exit 1 ;;
'truncated JSON') printf 'Status: O'; exit 2 ;;
403) echo "no: passwd=$passwd" >&2; exit 1 ;;
'HTML login page') echo '<html>off</html>'; exit 1 ;;
'wrong JSON') echo 'Syntax error: "off" unexpected' >&2; exit 2 ;;
esac
[ "$passwd" = '${known}' ] || { echo "refused" >&2; exit 1; }
case $action in
list | list-status) . "$dir/list"; exit ;;
esac
[ "$plug" = 3 ] || { echo "refused" >&2; exit 1; }
case $action in
status)
  power=$(cat "$dir/power")
  case $power in
  on) echo 'Status: ON' ;;
  off) echo 'Status: OFF'; exit 2 ;;
  *) eval "$power" ;;
  esac
  exit ;;
on | off) ;;
*) exit 1 ;;
esac
case $fault in
ignored) ;;
late) (sleep 0.3; echo "$action" >"$dir/power") >/dev/null 2>&1 </dev/null & ;;
*) echo "$action" >"$dir/power" ;;
esac
case $fault in
'comes back on') (sleep 0.2; echo on >"$dir/power") >/dev/null 2>&1 </dev/null & ;;
'drop in mid-answer') printf 'Succ'; kill -9 $$ ;;
'slow drip') sleep 5 ;;
esac
echo 'Success: Powered'
`

/** How its plugs are listed: by shell commands, which see `$action` and `$dir`. */
const list = `echo 'a remark, which is none of them'
case $(cat "$dir/power") in on) power=ON ;; off) power=off ;; *) power=UNKNOWN ;; esac
[ "$action" = list ] && printf '1,left, below\\n3,web-02\\n'
[ "$action" = list ] || printf '1,left, below,OFF\\n3,web-02,%s\\n' $power
`

export interface AgentDouble {
  /** To be put first in the PATH. */
  readonly folder: string
  power(): string
  setPower(power: string): void
  setFault(fault: Fault | ''): void
  setMetadata(xml: string): void
  /** Shell commands that list its plugs, instead of its own. */
  setList(script?: string): void
  /** The actions asked for, oldest first. */
  calls(): readonly string[]
  remove(): void
}

export function createAgentDouble(name = 'fence_double', known = password): AgentDouble {
  const folder = mkdtempSync(join(tmpdir(), 'picket-agent-'))
  const dir = join(folder, 'state')
  mkdirSync(dir)
  const put = (file: string, text: string): void => writeFileSync(join(dir, file), text)
  const get = (file: string): string => readFileSync(join(dir, file), 'utf8')
  put('power', 'on')
  put('fault', '')
  put('calls', '')
  put('metadata', metadata())
  put('list', list)
  writeFileSync(join(folder, name), script(dir, known))
  chmodSync(join(folder, name), 0o755)
  return {
    folder,
    power: () => get('power').trim(),
    setPower: (power) => put('power', power),
    setFault: (fault) => put('fault', fault),
    setMetadata: (xml) => put('metadata', xml),
    setList: (script = list) => put('list', script),
    calls: () => get('calls').split('\n').slice(0, -1),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
