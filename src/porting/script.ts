/**
 * The script that makes a cluster of Pacemaker fence as a plan says. It works on a copy of the CIB
 * and hands it over at the end, so that a failure half-way changes nothing; what is there already
 * is brought up to date, so that it may run as often as one likes.
 */
import type { Plan, StonithResource } from './plan.ts'

export interface ScriptTerms {
  readonly plan: Plan
  /** As it was called, for the head. */
  readonly made: string
  /** The configuration that the agents read. */
  readonly config: string
  readonly agentDir: string
}

export function scriptOf({ plan, made, config, agentDir }: ScriptTerms): string {
  const { cluster, resources, levels, remarks, everySeconds } = plan
  const agents = [...new Set(resources.map(({ agent }) => agent))]
  const nodes = [...new Set(levels.map(({ node }) => node))]
  return [
    '#!/bin/bash',
    ...comment(`Fencing of the cluster ${cluster} by Picket's agents, made by: ${made}`),
    ...comment('It holds no secret. Run it once, as root, on one node; again after each export.'),
    ...comment(`${config} and its secrets file have to lie on every node.`),
    ...comment(''),
    ...comment(
      '  bash SCRIPT             changes the cluster that runs here, all of it or nothing',
    ),
    ...comment('  bash SCRIPT CIB         changes the CIB in this file instead'),
    ...comment('  bash SCRIPT --force …   also where the agents are not installed on this machine'),
    ...(remarks.length > 0 ? comment('') : []),
    ...remarks.flatMap((text) => comment(`Note: ${text}.`)),
    start,
    `agents=${quote(agentDir)}`,
    `need_agents ${agents.map(quote).join(' ')}`,
    ...resources.flatMap((each) => ['', ...resourceLines(each, everySeconds)]),
    '',
    ...comment('A node never presses its own device.'),
    ...resources.map(({ id, node }) => `keep_off ${quote(id)} ${quote(node)}`),
    '',
    ...comment(
      'All devices of a level have to say off; the next level is tried when one does not.',
    ),
    ...nodes.map((node) => {
      const own = levels.filter((level) => level.node === node)
      return ['levels', quote(node), ...own.map(({ devices }) => devices.join(','))].join(' ')
    }),
    '',
    `tell_leftovers ${resources.map(({ id }) => quote(id)).join(' ')}`,
    'hand_over',
    '',
  ].join('\n')
}

function resourceLines(
  { id, agent, parameters, monitorSeconds }: StonithResource,
  everySeconds: number,
): readonly string[] {
  const pairs = parameters.map(([name, value]) => `  ${quote(`${name}=${value}`)}`)
  const head = `stonith ${quote(id)} ${quote(agent)} ${everySeconds}s ${monitorSeconds}s`
  return [head, ...pairs].join(' \\\n').split('\n')
}

/** A word of a shell, whatever stands in it. */
export function quote(text: string): string {
  return /^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

function comment(text: string): readonly string[] {
  return [`# ${text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')}`.trimEnd()]
}

/** What all of them share. Every program that fails ends the script, and says why. */
const start = `
set -eu -o pipefail
export LC_ALL=C

force=''
if [ "\${1-}" = --force ]; then
  force=--force
  shift
fi
target="\${1-}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cib="$work/cib.xml"
if [ -n "$target" ]; then
  cp "$target" "$work/before.xml"
else
  pcs cluster cib "$work/before.xml"
fi
cp "$work/before.xml" "$cib"

fail() {
  echo "$*" >&2
  exit 1
}

# NAME ATTRIBUTE VALUE: the tags of these elements, one a line. A dot stands for itself.
tags() {
  local status=0
  grep -Eo -e "<$1 [^>]*\\b$2=\\"\${3//./[.]}\\"[^>]*>" "$cib" || status=$?
  [ "$status" -lt 2 ] || fail "$cib cannot be searched"
}

need_agents() {
  local agent
  [ -z "$force" ] || return 0
  for agent in "$@"; do
    [ -x "$agents/$agent" ] ||
      fail "$agents/$agent is not there: install the agents on every node, or write --force"
  done
}

# ID AGENT INTERVAL TIMEOUT PARAMETER=VALUE…; an empty value takes the parameter away.
stonith() {
  local id="$1" agent="$2" every="$3" limit="$4" word is
  local -a words=()
  local -a monitor=(op monitor "interval=$every" "timeout=$limit")
  shift 4
  is=$(tags primitive id "$id")
  if [ -n "$is" ]; then
    case "$is" in *" type=\\"$agent\\""*) ;; *)
      fail "$id is there and no $agent: delete it first (pcs stonith delete $id)" ;;
    esac
    # The same again would write it in another order, which is a change to whoever compares.
    is=$(tags op id "$id-monitor-interval-$every")
    case "$is" in *" timeout=\\"$limit\\""*) monitor=() ;; esac
    pcs -f "$cib" stonith update "$id" "$@" "\${monitor[@]}" $force
  else
    for word in "$@"; do
      case "$word" in *=) ;; *) words+=("$word") ;; esac
    done
    pcs -f "$cib" stonith create "$id" "$agent" "\${words[@]}" "\${monitor[@]}" $force
  fi
}

keep_off() {
  local there
  there=$(tags rsc_location id "location-$1-$2--INFINITY")
  [ -n "$there" ] || pcs -f "$cib" constraint location "$1" avoids "$2"
}

# NODE DEVICE,DEVICE…, one word for each level: these and no others, the first one first.
levels() {
  local node="$1" number=0 same=yes devices there
  shift
  there=$(tags fencing-level target "$node")
  for devices in "$@"; do
    number=$((number + 1))
    grep -E "\\bindex=\\"$number\\"" <<<"$there" | grep -Fq "devices=\\"$devices\\"" || same=no
  done
  [ -z "$there" ] || [ "$(wc -l <<<"$there")" -eq "$number" ] || same=no
  if [ "$same" = yes ]; then return 0; fi
  [ -z "$there" ] || pcs -f "$cib" stonith level clear target "$node"
  number=0
  for devices in "$@"; do
    number=$((number + 1))
    # Names of devices hold no comma and no blank.
    pcs -f "$cib" stonith level add "$number" "$node" \${devices//,/ } $force
  done
}

# What an older export has left behind stays, and is told.
tell_leftovers() {
  local id
  grep -Eo '<primitive [^>]*\\bid="picket-[^"]*"' "$cib" | sed 's/.*id="//; s/"$//' >"$work/ours"
  while read -r id; do
    case " $* " in
      *" $id "*) ;;
      *) echo "$id is not in this export; if it is not yours: pcs stonith delete $id" >&2 ;;
    esac
  done <"$work/ours"
}

hand_over() {
  local status=0
  crm_diff --no-version --original "$work/before.xml" --new "$cib" >"$work/diff" || status=$?
  [ "$status" -lt 2 ] || fail 'crm_diff cannot compare the CIB with what it was'
  if [ "$status" -eq 0 ]; then
    echo 'Nothing to change.'
  elif [ -n "$target" ]; then
    cat "$cib" >"$target"
    echo "Changed: $target"
  else
    pcs cluster cib-push "$cib" "diff-against=$work/before.xml"
    echo 'Changed. Look: pcs stonith config; pcs stonith level; pcs status'
  fi
}
`
