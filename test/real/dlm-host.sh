#!/bin/sh
# Runs the real dlm_controld where the kernel has no DLM: it finds the files and devices that it
# looks for in mounts of its own, and does everything but move locks. The devices are another
# driver's, opened and never used.
# dlm-host.sh AGENT BIN: its fence agent, and where that finds `picket`.
[ "$DLM_HOST" = inside ] || DLM_HOST=inside exec unshare -m "$0" "$@"
set -e
agent=$1
PATH=$PATH:$2
room=$(mktemp -d)
mount -t tmpfs none "$room"
mkdir "$room/up" "$room/work"
mount -t overlay none -o "lowerdir=/etc,upperdir=$room/up,workdir=$room/work" /etc
mkdir -p /etc/dlm
cat > /etc/dlm/dlm.conf <<CONF
enable_plock=0
post_join_delay=15
fence_all $agent timeout=60
CONF
mount -t tmpfs none /sys/kernel
cluster=/sys/kernel/config/dlm/cluster
mkdir -p "$cluster/comms" "$cluster/spaces" /sys/kernel/dlm /run/dlm_controld
for file in cluster_name protocol log_debug recover_callbacks mark port; do
  echo 0 > "$cluster/$file"
done
fuse=$(sed -n 's/^ *\([0-9]*\) fuse$/\1/p' /proc/misc)
mkdir -p /dev/misc
for name in dlm-control dlm-monitor dlm_plock; do
  echo "$fuse $name" >> "$room/misc"
  [ -e "/dev/misc/$name" ] || mknod "/dev/misc/$name" c 10 "$fuse"
done
mount --bind "$room/misc" /proc/misc
exec dlm_controld -D -p 0
