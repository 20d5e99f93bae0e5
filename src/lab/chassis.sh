#!/bin/sh
# The power button behind a BMC of a lab, called by ipmi_sim: chassis.sh BMC-DIR [0xADDRESS]
# get power|boot ... | set power 0|1 | set reset 1 | set shutdown 1 | check PARAMETER
#
# A shell script because ipmi_sim starts it for every question and answers nobody else meanwhile.
# BMC-DIR is NODE-DIR/bmcL. `mode` there says how this BMC behaves:
#   ok        does what it accepts            ignore  accepts, does nothing, reports the truth
#   slow N    does it N seconds later         lie     accepts, does nothing, reports what was asked
# A BMC that hangs is a stopped ipmi_sim and needs nothing here. `log` gets a line of JSON for
# every command accepted and every command carried out.
set -u
# ipmi_sim hands down its sockets; a machine that inherits them would keep the BMC's port.
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
here=${0%/*}
cd "$1" || exit 1
shift
case ${1:-} in 0x*) shift ;; esac
action=${1:-}
[ $# -eq 0 ] || shift
mode=ok after=
[ ! -r mode ] || read -r mode after <mode

# Milliseconds of CLOCK_MONOTONIC, the clock of process.hrtime. The timer list is the only place
# where a shell can read it to the millisecond; /proc/uptime has hundredths of a second.
now_ms() {
  at= now=
  { read -r _ && read -r _ && read -r _ at now _; } 2>/dev/null </proc/timer_list
  if [ "$at" = at ]; then
    echo $((now / 1000000))
  else
    read -r up _ </proc/uptime
    echo "${up%.*}${up#*.}0"
  fi
}

note() { # EVENT COMMAND
  printf '{"atMs":%s,"event":"%s","command":"%s","mode":"%s"}\n' "$(now_ms)" "$1" "$2" "$mode" >>log
}

carry_out() { # COMMAND
  case $1 in
  off) sh "$here/machine.sh" "$PWD/.." off ;;
  on) sh "$here/machine.sh" "$PWD/.." on ;;
  reset) sh "$here/machine.sh" "$PWD/.." off && sh "$here/machine.sh" "$PWD/.." on ;;
  esac >>sim.log 2>&1 </dev/null
  if [ $? -eq 0 ]; then note done "$1"; else note failed "$1"; fi
}

press() { # COMMAND
  note accepted "$1"
  case $mode in
  ignore) ;;
  lie) if [ "$1" = off ]; then echo 0 >claimed; else echo 1 >claimed; fi ;;
  slow) (sleep "$after"; carry_out "$1") >/dev/null 2>&1 </dev/null & ;;
  *) carry_out "$1" ;;
  esac
}

power() {
  if [ "$mode" = lie ] && [ -r claimed ]; then
    cat claimed
  elif [ "$(sh "$here/machine.sh" "$PWD/.." state)" = on ]; then
    echo 1
  else
    echo 0
  fi
}

refuse() {
  echo "unsupported: $*"
  exit 1
}

case $action in
get)
  for key in "$@"; do
    case $key in
    power) echo "power:$(power)" ;;
    boot) echo boot:default ;;
    *) refuse "$key" ;;
    esac
  done
  ;;
set)
  while [ $# -ge 2 ]; do
    case $1-$2 in
    power-0 | shutdown-*) press off ;;
    power-*) press on ;;
    reset-*) press reset ;;
    boot-* | identify-*) ;;
    *) refuse "$1" ;;
    esac
    shift 2
  done
  ;;
check)
  case ${1:-} in power | reset | shutdown | boot) ;; *) refuse "${1:-}" ;; esac
  ;;
*) refuse "$action" ;;
esac
