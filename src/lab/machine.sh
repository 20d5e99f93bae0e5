#!/bin/sh
# The power and the cables of one node of a lab: machine.sh DIR on|off|state|firewall|heal
#
# A shell script because a BMC's chassis command runs it for every question, where a start of
# Node.js would cost more than the whole answer. DIR holds node.conf (the node's names), `init`
# (host pid and start time of the sandbox's pid 1), and `cut-L` or `deaf-L` for links that are cut.
set -u
here=${0%/*}
cd "$1" || exit 1
. ./node.conf

# The truth about the power: is pid 1 of the sandbox alive? A zombie is off: the kernel lets pid 1
# of a namespace become one only after everything else in the namespace has died.
alive() {
  [ -r init ] && read -r pid start <init || return 1
  { read -r stat <"/proc/$pid/stat"; } 2>/dev/null || return 1
  set -- ${stat##*) }
  [ "${20}" = "$start" ] && [ "$1" != Z ] && [ "$1" != X ]
}

links() {
  for link in 0 1 2; do
    [ "$1" = up ] && [ -e "cut-$link" ] && continue
    echo "link set n$INDEX-$link $1"
  done | ip -n "$SWITCH" -batch -
}

# A machine that boots has forgotten its addresses, its firewall and its extra links.
fresh_network() {
  ip -n "$NETNS" -o link | while IFS=': ' read -r _ name _; do
    case ${name%%@*} in
    lo | eth[012]) ;;
    *) ip -n "$NETNS" link del "${name%%@*}" 2>/dev/null ;;
    esac
  done
  {
    echo "link set lo down"
    for link in 0 1 2; do echo "addr flush dev eth$link"; done
    echo "link set lo up"
    for link in 0 1 2; do
      echo "addr add 10.77.$link.$INDEX/24 dev eth$link"
      echo "link set eth$link up"
    done
  } | ip -n "$NETNS" -batch - || return 1
  nsenter --net="/run/netns/$NETNS" nft flush ruleset
  firewall
}

# What a deaf node does not hear is dropped as early as possible; what it says still goes out.
firewall() {
  {
    echo 'table inet picket_lab {}; delete table inet picket_lab'
    deaf=
    for link in 0 1; do [ ! -e "deaf-$link" ] || deaf="$deaf${deaf:+, }eth$link"; done
    [ -z "$deaf" ] || echo "table inet picket_lab {
      chain deaf { type filter hook prerouting priority -400; iifname { $deaf } drop; }
    }"
  } | nsenter --net="/run/netns/$NETNS" nft -f -
}

# The cables of a machine that is just losing its power stay unplugged: hence under the same lock.
heal() {
  rm -f cut-0 cut-1 deaf-0 deaf-1
  firewall && if alive; then links up; fi
}

on() {
  alive && return 0
  [ ! -e ../down ] || { echo "the lab is being taken down" >&2; return 1; }
  rm -f init ready
  fresh_network && links up || return 1
  setsid env -i PATH="$LAB_PATH" HOME=/root LANG=C.UTF-8 \
    nsenter --net="/run/netns/$NETNS" \
    unshare --mount --uts --ipc --pid --fork --kill-child --propagation private \
    sh "$here/init.sh" "$PWD" </dev/null >>log/console.log 2>&1 9>&- &
  outer=$!
  tries=0
  until [ -e ready ]; do
    tries=$((tries + 1))
    if [ $tries -gt 1000 ] || ! kill -0 $outer 2>/dev/null; then
      echo "$NODE does not boot: $(tail -n 3 log/console.log)" >&2
      off
      return 1
    fi
    sleep 0.01
  done
}

# A power cut takes the processes first: none of them may see the links go down.
off() {
  tries=0
  while alive; do
    kill -9 "$pid"
    tries=$((tries + 1))
    [ $tries -le 1000 ] || { echo "pid 1 of $NODE does not die" >&2; return 1; }
    sleep 0.01
  done
  links down
}

case $2 in
state)
  if alive; then echo on; else echo off; fi
  ;;
on | off | firewall | heal)
  exec 9>lock
  flock -w 30 9 || { echo "$NODE is busy" >&2; exit 1; }
  "$2"
  ;;
*)
  echo "usage: machine.sh DIR on|off|state|firewall|heal" >&2
  exit 2
  ;;
esac
