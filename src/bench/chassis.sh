#!/bin/sh
# The power of the machine that `npm run bench:fence` fences, called by ipmi_sim and by the
# benchmark: chassis.sh DIR get power|boot ... | DIR set power 0|1
#
# The power is a process of QEMU: `on` runs DIR/start, which leaves its pid in DIR/pid. A process
# that is dead is off, also while nobody has taken notice of its end.
# ipmi_sim hands down its sockets; a machine that inherits them would keep the BMC's port.
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
dir=$1 verb=$2
shift 2

power() {
  pid= state=
  [ ! -r "$dir/pid" ] || read -r pid <"$dir/pid"
  [ -z "$pid" ] || { read -r _ _ state _ <"/proc/$pid/stat"; } 2>/dev/null
  case $state in '' | Z | X) echo 0 ;; *) echo 1 ;; esac
}

case $verb in
get)
  for what in "$@"; do
    case $what in
    power) echo "power:$(power)" ;;
    boot) echo "boot:default" ;;
    *) exit 1 ;;
    esac
  done
  ;;
set)
  [ "$1" = power ] || exit 1
  now=$(power)
  if [ "$2" = 0 ] && [ "$now" = 1 ]; then
    read -r pid <"$dir/pid" && kill -KILL "$pid"
  elif [ "$2" = 1 ] && [ "$now" = 0 ]; then
    rm -f "$dir/pid"
    sh "$dir/start"
  fi
  ;;
*) exit 1 ;;
esac
