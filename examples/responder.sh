#!/bin/sh
# The smallest responder of one's own: answers the requests of fence_recorder with a program that
# fences. It polls, needs jq, and shows all that a responder has to keep to (docs/recorder.md).
#
#   responder.sh PROGRAM [DIRECTORY]      runs `PROGRAM ACTION NODE` for each request; 0 is done
set -u
program=$1
directory=${2:-/var/run/gfs2-fencing}
umask 077
mkdir -p "$directory/requests" "$directory/responses" "$directory/begun"

# Whole or not at all: first under a name that nobody looks for, then under its own.
answer() {
  jq -cn --arg id "$1" --argjson success "$2" --arg action "$3" --arg node "$4" --arg text "$5" \
    '{request_id: $id, success: $success, action_performed: $action, target_node: $node,
      message: $text, timestamp: (now | todate)}' >"$directory/responses/.$1.tmp" &&
    mv "$directory/responses/.$1.tmp" "$directory/responses/$1.json"
}

carry_out() {
  id=$(basename "$1" .json)
  action=$(jq -er .action "$1") && node=$(jq -er .target_node "$1") || return
  [ "$(jq -r .request_id "$1")" = "$id" ] || return
  # Once: a request that was begun before is not begun again, whatever became of it.
  mkdir "$directory/begun/$id" 2>/dev/null || return
  # In time: without a deadline it is good for a minute. jq knows no fractions of a second.
  until=$(jq -r '(.deadline // .timestamp) | sub("\\.[0-9]+"; "") | sub("\\+00:00$"; "Z")' "$1")
  seconds=$(jq -n --arg until "$until" '$until | fromdateiso8601')
  [ "$(jq -r 'has("deadline")' "$1")" = true ] || seconds=$((seconds + 60))
  if [ "$(date +%s)" -ge "$seconds" ]; then
    answer "$id" false "$action" "$node" 'its deadline has passed'
  elif text=$("$program" "$action" "$node" 2>&1); then
    answer "$id" true "$action" "$node" "$text"
  else
    answer "$id" false "$action" "$node" "${text:-the program failed}"
  fi
}

while :; do
  # So that `monitor` knows that somebody is here.
  jq -cn '{name: "responder.sh", timestamp: (now | todate)}' >"$directory/.responder.tmp" &&
    mv "$directory/.responder.tmp" "$directory/responder.json"
  for request in "$directory"/requests/*.json; do
    [ -f "$request" ] && [ ! -L "$request" ] || continue
    [ -e "$directory/responses/$(basename "$request")" ] || carry_out "$request"
  done
  sleep 0.2
done
