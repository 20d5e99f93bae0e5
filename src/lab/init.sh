#!/bin/sh
# pid 1 of a node of a lab: init.sh DIR
#
# Makes the node's private view of the file system, starts Corosync and the daemon's supervisor,
# and reaps. A shell script because pid 1 has to be small, has to exec, and has to outlive anything
# that is tested in it. DIR is the node's state directory; it is hidden from the node in the end.
set -eu
dir=$1
cd "$dir"
. ./node.conf
ulimit -c 0

if [ "${2:-}" != inside ]; then
  # /proc is still the host's here, so that our own entry shows the pid that the host knows.
  read -r stat </proc/self/stat
  pid=${stat%% *}
  set -- ${stat##*) }
  echo "$pid ${20}" >init.new
  mv init.new init

  mount -t tmpfs -o mode=755,size=64m tmpfs run
  mkdir -p run/lab
  # A control group of its own, as every machine has one; scopes of a former life go first.
  if mkdir -p run/lab/cg && mount -t cgroup2 cgroup2 run/lab/cg 2>/dev/null; then
    cg=run/lab/cg/picket-lab.$LAB/$NODE
    mkdir -p "$cg"
    find "$cg" -mindepth 1 -depth -type d -exec rmdir {} +
    echo 0 >"$cg/cgroup.procs"
    umount run/lab/cg
    exec unshare --cgroup sh "$0" "$dir" inside cgroup
  fi
fi

echo "$NODE" >/proc/sys/kernel/hostname
mount -t proc proc /proc
# Hidden mounts still stand in the table of mounts, where programs look for control groups.
for at in /sys /run/netns; do umount -n -l "$at" 2>/dev/null || :; done
mount -t sysfs -o ro sysfs /sys
if [ "${3:-}" = cgroup ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
  # Without one of its own it sees an empty tree: the host's is not a node's to write to.
  mount -t tmpfs -o ro tmpfs /sys/fs/cgroup
fi

# Only harmless devices: no disk, no watchdog, no console of the machine underneath.
dev=$dir/run/lab/dev
mkdir "$dev"
mount -t tmpfs -o mode=755,size=1m tmpfs "$dev"
for name in null zero full random urandom tty; do
  : >"$dev/$name"
  mount --bind "/dev/$name" "$dev/$name"
done
mkdir "$dev/pts" "$dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$dev/pts"
mount -t tmpfs -o mode=1777,size=256m tmpfs "$dev/shm"
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
for fd in stdin:0 stdout:1 stderr:2; do ln -s "fd/${fd#*:}" "$dev/${fd%:*}"; done
umount -n -l /dev 2>/dev/null || :
mount --move "$dev" /dev

# A node writes to these without writing to the host, and has mount points that the host lacks.
over() { # NAME PATH MOUNT-POINT...
  upper=$dir/run/lab/$1 lower=$2
  shift 2
  mkdir -p "$upper.work"
  for at in "$@"; do mkdir -p "$upper/$at"; done
  mount -t overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$upper.work" overlay "$lower"
}
over etc /etc picket corosync
over varlib /var/lib picket corosync
over srv /srv shared
rm -f /etc/machine-id /etc/hostname /etc/hosts
cp machine-id /etc/machine-id
echo "$NODE" >/etc/hostname
cp hosts /etc/hosts
mount --bind etc-picket /etc/picket
mount --bind etc-corosync /etc/corosync
mount --bind lib-picket /var/lib/picket
mount --bind lib-corosync /var/lib/corosync
mount --bind log/corosync /var/log/corosync
mount --bind ../shared /srv/shared

# What would reach the machine underneath, or give away that all nodes share its kernel.
[ ! -e /proc/sysrq-trigger ] || mount --bind /dev/null /proc/sysrq-trigger
cat /proc/sys/kernel/random/uuid >run/lab/boot-id
mount --bind run/lab/boot-id /proc/sys/kernel/random/boot_id
dmi=/sys/class/dmi/id/product_uuid
[ ! -e $dmi ] || mount --bind etc-picket/hardware-uuid $dmi

find log -name '*.log' -size +16M -exec mv {} {}.old \;
exec 3>>log/picketd.log
set --
if [ -e daemon ]; then
  while IFS= read -r word; do set -- "$@" "$word"; done <daemon
fi
mkdir run/lock run/corosync
own=
[ ! -e pid-one ] || read -r own <pid-one
# -n: the table of mounts goes away with the old /run.
mount -n --move run /run
: >ready
cd /
# A service manager that a test brings: it starts Corosync and the daemon.
[ -z "$own" ] || exec sh "$own" 3>&-

# Restarts the daemon at once when it dies, and no more than once a second when it keeps dying.
supervise() {
  gap=0
  while :; do
    read -r began _ </proc/uptime
    "$@" </dev/null >&3 2>&3 3>&- &
    echo $! >/run/lab/daemon.pid
    wait $! || echo "supervisor: the daemon ended with status $?" >&3
    read -r ended _ </proc/uptime
    if [ $((${ended%.*} - ${began%.*})) -ge 3 ]; then
      gap=0
    else
      sleep $gap
      case $gap in 0) gap=0.2 ;; 0.2) gap=0.5 ;; *) gap=1 ;; esac
    fi
  done
}

# Corosync is started once: whoever kills it wants to see the ring lose this node.
corosync -f 3>&- &
if [ $# -gt 0 ]; then
  supervise "$@" >/dev/null 2>&1 &
fi
exec 3>&-
# A quorum device votes through a daemon of its own, which wants to find Corosync there.
if grep -q '^  device {' /etc/corosync/corosync.conf; then
  while :; do corosync-qdevice -f || :; sleep 0.5; done >/dev/null 2>&1 </dev/null &
fi
# pid 1 has to reap: a child that stays a zombie looks alive to whoever killed it.
while :; do
  sleep 86400 &
  wait $! || :
done
