#!/usr/bin/env bash
# Runs an experiment on every accelerator of this machine, in the background
# of a terminal that may close, and goes on by itself if it is cut off.
#
#   launch/one_machine.sh configs/gaziv2022.py runs/gaziv2022 [--config.key=value ...]
#
# DRY_RUN=1 prints the command instead. The log is WORKDIR/log.txt.
set -euo pipefail

if (($# < 2)); then
  echo "usage: $0 CONFIG WORKDIR [--config.key=value ...]" >&2
  exit 2
fi
config=$1 workdir=$2
shift 2
command=(brainjax run --config "$config" --workdir "$workdir" "$@")

if [[ ${DRY_RUN:-} ]]; then
  printf '%q ' "${command[@]}"
  echo
  exit
fi

mkdir -p "$workdir"
# The inner shell expands them.
# shellcheck disable=SC2016
# Done (0), bad input (2), bugs (1), a command that cannot be started (126, 127)
# and a request to stop (130) end it; anything else was a cut-off. A signal to
# this process goes to the run, which saves.
nohup bash -c '
  stopping=
  trap "stopping=1; kill -TERM \$run 2>/dev/null" TERM INT
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    "$@" &
    run=$!
    while true; do # A trapped signal ends `wait` but not the run.
      status=0
      wait "$run" || status=$?
      kill -0 "$run" 2>/dev/null || break
    done
    case $status in 0 | 1 | 2 | 126 | 127 | 130) exit $status ;; esac
    [[ $stopping ]] && exit $status
    echo "cut off with status $status; going on (attempt $attempt)"
    sleep 5
  done
' one_machine "${command[@]}" >>"$workdir/log.txt" 2>&1 &
echo "process $!, which stops at a TERM signal; log $workdir/log.txt"
