#!/bin/bash
# The real pacemaker-fenced with a Corosync of one node, in namespaces of its own; needs root.
#   fenced-box.sh AGENT COMMAND [ARGUMENT …]
# The host is neither seen nor changed: tmpfs over the daemons' directories, and an overlay over
# /usr/sbin, where fence agents have to stand. All of it ends with the command.
set -eu
export BOX_AGENT="$1"
shift
exec unshare -m -n -i -u -p --fork --kill-child --mount-proc --propagation private bash -c '
  set -e
  hostname box1
  ip link set lo up
  over() { mount -t tmpfs -o mode=0755 tmpfs "$1"; }
  mkdir -p /var/lib/pacemaker /var/log/pacemaker /var/lib/corosync /etc/corosync
  mount -t tmpfs -o mode=1777 tmpfs /dev/shm
  for dir in /run /var/lib/pacemaker /var/log /var/lib/corosync /etc/corosync /mnt; do over $dir; done
  mkdir -p /run/lock /run/crm /run/pacemaker /run/resource-agents /mnt/upper /mnt/scratch \
    /var/log/pacemaker /var/lib/pacemaker/{cores,cib,pengine,blackbox}
  chown -R hacluster:haclient /run/crm /run/pacemaker /var/lib/pacemaker /var/log/pacemaker
  mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir=/mnt/upper,workdir=/mnt/scratch /usr/sbin
  ln -s "$BOX_AGENT" /usr/sbin/
  export PATH=/usr/lib/pacemaker:/usr/sbin:/usr/bin:/sbin:/bin
  cat >/etc/corosync/corosync.conf <<CONF
totem {
  version: 2
  cluster_name: box
  transport: udp
  crypto_cipher: none
  crypto_hash: none
}
nodelist {
  node {
    nodeid: 1
    name: box1
    ring0_addr: 127.0.0.1
  }
}
logging {
  to_syslog: no
  to_logfile: yes
  logfile: /run/corosync.log
}
CONF
  corosync >/run/corosync.out 2>&1
  for i in $(seq 200); do corosync-cpgtool >/dev/null 2>&1 && break; sleep 0.1; done
  pacemaker-fenced --stand-alone-w-cpg --logfile /run/fenced.log -V >/run/fenced.out 2>&1 &
  set +e
  for i in $(seq 200); do stonith_admin -L >/dev/null 2>&1; [ $? -eq 102 ] || break; sleep 0.1; done
  "$@"' box "$@"
