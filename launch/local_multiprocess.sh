#!/usr/bin/env bash
# Runs an experiment as N processes of this machine, which work as N hosts.
#
#   launch/local_multiprocess.sh N CONFIG WORKDIR [--config.key=value ...]
#
# With GPUs each process takes its share of them, in order: GPUS=8 and N=4
# give two to each. PORT chooses the port on which the processes meet.
# DRY_RUN=1 prints the commands instead. Logs are WORKDIR/log.I.txt. The same
# command, also with another N, goes on with a run that was cut off.
set -euo pipefail

if (($# < 3)) || ! [[ $1 =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: $0 N CONFIG WORKDIR [--config.key=value ...]" >&2
  exit 2
fi
processes=$1 config=$2 workdir=$3
shift 3
port=${PORT:-$((20000 + RANDOM % 20000))}
gpus=${GPUS:-0}
if ((gpus % processes)); then
  echo "$0: $gpus GPUs do not divide among $processes processes" >&2
  exit 2
fi

command_of() { # Fills `command` with that of process $1.
  command=(
    env "BRAINJAX_COORDINATOR=127.0.0.1:$port"
    "BRAINJAX_PROCESSES=$processes" "BRAINJAX_PROCESS=$1"
  )
  if ((gpus)); then
    local share=$((gpus / processes))
    command+=("CUDA_VISIBLE_DEVICES=$(seq -s, $(($1 * share)) $((($1 + 1) * share - 1)))")
  fi
  command+=(brainjax run --config "$config" --workdir "$workdir" "${overrides[@]}")
}

overrides=("$@")
if [[ ${DRY_RUN:-} ]]; then
  for ((i = 0; i < processes; i++)); do
    command_of "$i"
    printf '%q ' "${command[@]}"
    echo
  done
  exit
fi

mkdir -p "$workdir"
started=()
for ((i = 0; i < processes; i++)); do
  command_of "$i"
  "${command[@]}" >>"$workdir/log.$i.txt" 2>&1 &
  started+=($!)
done
# A signal goes to all; they save and end together.
trap 'kill -TERM "${started[@]}" 2>/dev/null || true' INT TERM
status=0
for process in "${started[@]}"; do
  while true; do
    ended=0
    wait "$process" || ended=$?
    # A trapped signal ends `wait` but not the process.
    kill -0 "$process" 2>/dev/null || break
  done
  # 137: killed. The others say why they ended: 130 goes on, 2 does not.
  if ((ended != 0 && (status == 0 || status == 137))); then
    status=$ended
  fi
done
tail -n 3 "$workdir/log.0.txt"
exit "$status"
