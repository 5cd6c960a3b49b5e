#!/usr/bin/env bash
# Runs a command in several directories, some of them at once. What it prints in a directory appears together, below
# the directory's name, in the order of the arguments. Fails if the command failed anywhere.
#
# Usage: each.sh AT_ONCE COMMAND DIRECTORY ...     (COMMAND is text for bash)
set -euo pipefail

at_once=$1 command=$2
shift 2
directories=("$@")
results=$(mktemp -d)
groups=()
trap 'for group in ${groups[@]+"${groups[@]}"}; do kill -- "-$group" 2>/dev/null || true; done; rm -rf "$results"' EXIT
# One byte in the pipe is room for one more directory.
mkfifo "$results/room"
exec 3<>"$results/room"
printf "%${at_once}s" '' >&3

printed=0 failed=0
print() { # prints the directories that have ended, up to the first that has not
  while [ "$printed" -lt ${#directories[@]} ] && [ -e "$results/$printed.result" ]; do
    printf '%s:\n' "${directories[printed]}"
    cat "$results/$printed.out"
    if [ "$(cat "$results/$printed.result")" != 0 ]; then
      printf 'FAILED in %s: %s\n' "${directories[printed]}" "$command"
      failed=1
    fi
    printed=$((printed + 1))
  done
}

one() { # index
  local result=0
  trap "printf ' ' >&3" EXIT
  (cd "${directories[$1]}" && bash -c "$command") >"$results/$1.out" 2>&1 </dev/null || result=$?
  echo "$result" >"$results/$1.part"
  mv "$results/$1.part" "$results/$1.result"
}

for index in "${!directories[@]}"; do
  IFS= read -r -n 1 -u 3
  print
  set -m # a group of processes, which ends with this script
  one "$index" &
  groups+=("$!")
  set +m
done
for _ in $(seq "$at_once"); do # when all room is back, all have ended
  IFS= read -r -n 1 -u 3
  print
done
if [ "$printed" -lt ${#directories[@]} ]; then
  printf 'no result of %s\n' "${directories[printed]}"
  failed=1
fi
groups=()
exit "$failed"
