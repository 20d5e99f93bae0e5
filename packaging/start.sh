#!/bin/sh
# Starts @PROGRAM@ of a release, also through a link from elsewhere. It stands in front of every
# start: no other program runs before Node.js, unless it was called through a link.
me=
case $0 in
  */*) [ -L "$0" ] || me=$0 ;;
esac
[ -n "$me" ] || me=$(readlink -f "$0") || exit 1
home=${me%/*}/..

# The Node.js that this release was made with; where there is another one, bin/node finds it.
node=$home/node_modules/node-linux-@ARCH@/bin/node
[ -x "$node" ] || node=$home/bin/node
exec "$node" @FLAGS@ "$home/lib/@ENTRY@.js" "$@"
