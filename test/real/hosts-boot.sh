#!/bin/sh
# pid 1 of a host of hosts.test.ts: a node of a lab that goes on with a real systemd, with the unit
# of Corosync as the distribution has it and ours as packaging/picketd.service has it.
#
# It knows no unit of the machine underneath but those that are copied here. What it writes to
# /usr/bin and /tmp stays in its memory.
set -eu
here=$(readlink -f "${0%/*}")
home=${here%/test/real}

over() { # NAME PATH
  mkdir -p "/run/lab/$1" "/run/lab/$1.work"
  mount -t overlay -o "lowerdir=$2,upperdir=/run/lab/$1,workdir=/run/lab/$1.work" overlay "$2"
}
over usr-bin /usr/bin
over tmp /tmp
over var-tmp /var/tmp
ln -s "$home/bin/picketd" /usr/bin/picketd
ln -s "$home/bin/picket" /usr/bin/picket
# It may not turn what belongs to the kernel of this machine; its network is its own.
mount --bind /proc/sys/net /proc/sys/net
mount --rbind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys

units=/run/lab/units own=/etc/systemd/system
mkdir -p "$units" "$own"
mount -t tmpfs -o mode=755 tmpfs "$own"
vendor=/lib/systemd/system
for name in sysinit basic sockets timers paths slices multi-user network-online time-sync \
  shutdown umount final poweroff reboot; do
  cp "$vendor/$name.target" "$units/"
done
for unit in dbus.service dbus.socket systemd-journald.service systemd-journald.socket \
  systemd-poweroff.service systemd-reboot.service corosync.service; do
  cp "$vendor/$unit" "$units/"
done
cp "$home/packaging/picketd.service" "$units/"
# What runs in the cluster: the service of the demonstration, and one that only sleeps.
cat >"$units/web.service" <<END
[Service]
ExecStart=$home/bin/node $home/src/demo/service.ts /srv/shared 8080
END
cat >"$units/batch.service" <<END
[Service]
ExecStart=/bin/sleep infinity
END
# Watches over nothing: it is there for what systemd keeps of it.
cat >"$units/guard.service" <<END
[Service]
Type=notify
NotifyAccess=main
ExecStart=$home/bin/node $home/test/real/hosts-guard.ts /srv/shared/watchdog
Restart=always
RestartSec=1
FileDescriptorStoreMax=1
END

enable() { # TARGET UNIT...
  mkdir "$own/$1.wants"
  target=$1
  shift
  for unit in "$@"; do ln -s "$units/$unit" "$own/$target.wants/$unit"; done
}
enable sockets.target dbus.socket systemd-journald.socket
enable sysinit.target systemd-journald.service
enable multi-user.target corosync.service picketd.service

exec env -i container=picket PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  SYSTEMD_UNIT_PATH="$own:$units" \
  /lib/systemd/systemd --unit=multi-user.target --log-target=journal
