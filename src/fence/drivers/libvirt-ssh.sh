#!/bin/sh
# What virsh starts in place of ssh: no question at a terminal, no long wait for a dead hypervisor,
# and no connection that another program shares with us and may have lost.
exec ssh -o BatchMode=yes -o ConnectTimeout=3 -o ConnectionAttempts=1 \
  -o ServerAliveInterval=2 -o ServerAliveCountMax=2 \
  -o ControlMaster=no -o ControlPath=none -o IdentitiesOnly=yes "$@"
