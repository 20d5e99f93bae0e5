#!/bin/sh
# pid 1 of a machine with a real systemd, without a tree of its own: systemd-host.sh DIR NAME
#
# It shares /usr with this machine, read-only; everything else of it is in memory. Of the units in
# /usr it knows only those that are copied here, so that nothing else of this machine's starts.
# `systemd-host.sh DIR NAME remove` takes away the control groups that a dead one has left.
set -eu
dir=$1 group=picket-test.$2

groups() { # DO...
  mount -t cgroup2 cgroup2 "$cgroups"
  "$@"
  umount "$cgroups"
}

enter() {
  mkdir "$cgroups/$group"
  echo 0 >"$cgroups/$group/cgroup.procs"
}

# The kernel removes an empty group only, and what was killed takes a moment to be gone.
remove() {
  tries=0
  while [ -d "$cgroups/$group" ] && [ $tries -lt 500 ]; do
    find "$cgroups/$group" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.01
    tries=$((tries + 1))
  done
}

mount_root() {
  mkdir -p "$dir/root"
  mount -t tmpfs -o mode=755,size=128m tmpfs "$dir/root"
  cd "$dir/root"
  mkdir -p etc/systemd/system/sockets.target.wants etc/systemd/system/sysinit.target.wants
  mkdir -p run tmp proc sys dev root old srv
  mkdir -p var/log var/lib var/tmp usr
  mount --bind /usr usr
  mount -o remount,ro,bind usr
  for at in bin sbin lib lib32 lib64 libx32; do
    if [ -L /$at ]; then
      cp -P /$at .
    elif [ -d /$at ]; then
      mkdir $at
      mount --bind /$at $at
      mount -o remount,ro,bind $at
    fi
  done
  for file in passwd group nsswitch.conf ld.so.cache dbus-1; do
    [ ! -e /etc/$file ] || cp -a /etc/$file etc/
  done
  echo picket-host >etc/hostname
  cp "$dir/machine-id" etc/machine-id
  own=etc/systemd/system
  for unit in sysinit basic sockets timers paths slices multi-user shutdown umount final; do
    cp /lib/systemd/system/$unit.target $own/
  done
  for unit in dbus.service dbus.socket systemd-journald.service systemd-journald.socket; do
    cp /lib/systemd/system/$unit $own/
  done
  for unit in dbus.socket systemd-journald.socket; do
    ln -s ../$unit $own/sockets.target.wants/$unit
  done
  ln -s ../systemd-journald.service $own/sysinit.target.wants/systemd-journald.service
}

mount_kernel() {
  mount -t tmpfs -o mode=755 tmpfs run
  # Its journal can be read from outside.
  mkdir run/log "$dir/log"
  mount --bind "$dir/log" run/log
  mount -t tmpfs -o mode=755 tmpfs dev
  for name in null zero full random urandom tty; do
    : >dev/$name
    mount --bind /dev/$name dev/$name
  done
  mkdir dev/pts dev/shm
  ln -s /proc/self/fd dev/fd
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
  mount -t tmpfs tmpfs dev/shm
  mount -t proc proc proc
  # It may not turn what belongs to the kernel of this machine.
  mount --bind proc/sys proc/sys
  mount -o remount,ro,bind proc/sys
  [ ! -e proc/sysrq-trigger ] || mount --bind /dev/null proc/sysrq-trigger
  mount -t sysfs -o ro sysfs sys
}

case ${3:-} in
'')
  mount_root
  mount_kernel
  cgroups=sys/fs/cgroup
  groups enter
  exec unshare --cgroup sh "$0" "$dir" "$2" inside
  ;;
inside)
  cd "$dir/root"
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  hostname picket-host
  pivot_root . old
  umount -l /old
  exec env -i container=picket PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    SYSTEMD_UNIT_PATH=/etc/systemd/system \
    /lib/systemd/systemd --unit=multi-user.target --log-target=journal
  ;;
remove)
  cgroups=$dir/cgroups
  mkdir -p "$cgroups"
  groups remove
  ;;
esac
