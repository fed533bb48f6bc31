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
# Bad input (2) and bugs (1) end the run; anything else was a cut-off.
nohup bash -c '
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    "$@"
    status=$?
    case $status in 0 | 1 | 2) exit $status ;; esac
    echo "cut off with status $status; going on (attempt $attempt)"
    sleep 5
  done
' one_machine "${command[@]}" >>"$workdir/log.txt" 2>&1 &
echo "process $!, log $workdir/log.txt"
