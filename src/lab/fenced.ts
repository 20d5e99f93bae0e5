/**
 * The real pacemaker-fenced beside a Corosync of one node, in namespaces of its own: nothing of the
 * machine is seen or changed, an overlay stands over /usr/sbin, where fence agents have to lie, and
 * all of it ends with the program that is run in it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { cannotFind } from './programs.ts'

/** Why there can be no such box here, with what mends it; `undefined` where there can. */
export function whyNoFenced(): string | undefined {
  if (process.getuid?.() !== 0) return 'it needs root'
  return cannotFind([
    ...(['corosync', 'ip', 'unshare', 'stonith_admin', 'ipmi_sim', 'fence_ipmilan'] as const),
    '/usr/lib/pacemaker/pacemaker-fenced',
  ])
}

const corosync = `totem {
  version: 2
  cluster_name: fencedbox
  transport: udp
  crypto_cipher: none
  crypto_hash: none
}
nodelist {
  node {
    nodeid: 1
    name: labnode1
    ring0_addr: 127.0.0.1
  }
}
logging {
  to_syslog: no
  to_logfile: yes
  logfile: /run/corosync.log
}
`

const folders = '/run /var/lib/pacemaker /var/log/pacemaker /var/lib/corosync /etc/corosync /mnt'

/** A wire with nobody at its other end is there too: 10.9.0.2 can be asked, and is silent. */
const script = `set -e
hostname labnode1
ip link set lo up
ip link add wire type veth peer name far
ip link set wire up
ip link set far up
ip addr add 10.9.0.1/24 dev wire
mkdir -p /var/lib/pacemaker /var/log/pacemaker /var/lib/corosync /etc/corosync
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for folder in ${folders}; do mount -t tmpfs -o mode=0755 tmpfs $folder; done
mkdir -p /run/lock /run/crm /run/pacemaker /run/resource-agents /mnt/upper /mnt/scratch
mkdir -p /var/lib/pacemaker/cores /var/lib/pacemaker/cib /var/lib/pacemaker/pengine
mkdir -p /var/lib/pacemaker/blackbox
chown -R hacluster:haclient /run/crm /run/pacemaker /var/lib/pacemaker /var/log/pacemaker
mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir=/mnt/upper,workdir=/mnt/scratch /usr/sbin
export PATH=/usr/lib/pacemaker:/usr/sbin:/usr/bin:/sbin:/bin
printf '%s' "$COROSYNC_CONF" >/etc/corosync/corosync.conf
corosync >/run/corosync.out 2>&1
for try in $(seq 100); do corosync-cpgtool >/dev/null 2>&1 && break; sleep 0.1; done
pacemaker-fenced --stand-alone-w-cpg --logfile /run/fenced.log -V >/run/fenced.out 2>&1 &
set +e
for try in $(seq 100); do stonith_admin -L >/dev/null 2>&1; [ $? -eq 102 ] || break; sleep 0.1; done
"$@"`

/** Begins a program in a box of its own. */
export function beginWithFenced(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const flags = ['-m', '-n', '-i', '-u', '-p', '--fork', '--kill-child', '--mount-proc']
  const shell = ['--propagation', 'private', 'bash', '-c', script, 'box']
  return spawn('unshare', [...flags, ...shell, ...argv], {
    env: { LANG: 'C', PATH: process.env.PATH, COROSYNC_CONF: corosync, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
