#!/usr/bin/env bash
# Runs an experiment on a TPU pod slice of Google Cloud.
#
#   NAME=brain ZONE=us-central2-b TYPE=v4-32 launch/tpu_pod.sh run \
#     configs/gaziv2022.py runs/gaziv2022 [--config.key=value ...]
#   ... launch/tpu_pod.sh logs WORKDIR     the first host's log, as it grows
#   ... launch/tpu_pod.sh fetch WORKDIR    the first host's results to here
#   ... launch/tpu_pod.sh delete           the slice, which costs until then
#
# `run` creates the slice or reuses it, copies and installs this repository on
# every host, runs, and streams the logs. If the slice is preempted it makes
# another and goes on. The first host writes WORKDIR: after a preemption the
# run resumes only if WORKDIR outlives the slice (a mounted bucket or disk at
# the same path on the first host). Deep image reconstruction wants one WORKDIR
# that all hosts see. Paths of data must exist on every host.
#
# VERSION (tpu-ubuntu2204-base), SPOT=1, ATTEMPTS (10). DRY_RUN=1 prints every
# command instead.
set -euo pipefail

usage() {
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
(($#)) || usage
action=$1
shift
: "${NAME:?set NAME, of the slice}" "${ZONE:?set ZONE, such as us-central2-b}"
version=${VERSION:-tpu-ubuntu2204-base}
attempts=${ATTEMPTS:-10}
repository=$(cd "$(dirname "$0")/.." && pwd)
tpu=(gcloud compute tpus tpu-vm)
place=("$NAME" --zone "$ZONE")

do_() { # Runs a command, or prints it.
  if [[ ${DRY_RUN:-} ]]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

on_hosts() { # on_hosts WORKER COMMAND: 0 is the first host.
  do_ "${tpu[@]}" ssh "${place[@]}" --worker "$1" --command "$2"
}

state() { # READY, PREEMPTED ..., or nothing where there is no slice.
  if [[ ${DRY_RUN:-} ]]; then
    do_ "${tpu[@]}" describe "${place[@]}" --format 'value(state)' >&2
  else
    "${tpu[@]}" describe "${place[@]}" --format 'value(state)' 2>/dev/null || true
  fi
}

delete() { do_ "${tpu[@]}" delete "${place[@]}" --quiet; }

create() {
  : "${TYPE:?set TYPE, such as v4-32}"
  local now
  now=$(state)
  [[ $now == READY ]] && return
  # What was preempted is of no more use.
  if [[ $now ]]; then delete; fi
  do_ "${tpu[@]}" create "${place[@]}" --accelerator-type "$TYPE" \
    --version "$version" ${SPOT:+--spot}
}

install() {
  do_ tar -C "$repository" --exclude .git --exclude .compiled \
    --exclude build --exclude ./runs --exclude ./venv --exclude ./.venv \
    --exclude ./dist --exclude ./site -czf "/tmp/$NAME.tar.gz" .
  do_ "${tpu[@]}" scp "/tmp/$NAME.tar.gz" "$NAME:brainjax.tar.gz" \
    --zone "$ZONE" --worker all
  on_hosts all 'mkdir -p brainjax && tar -C brainjax -xzf brainjax.tar.gz && cd brainjax && python3 -m venv .venv && .venv/bin/pip install --quiet . "jax[tpu]" --constraint constraints.txt'
}

case $action in
  run)
    (($# >= 2)) || usage
    workdir=$2
    printf -v arguments '%q ' --config "$1" --workdir "$workdir" "${@:3}"
    printf -v folder '%q' "$workdir"
    command="cd brainjax && mkdir -p $folder && BRAINJAX_HOSTS=auto .venv/bin/brainjax run $arguments 2>&1 | tee -a $folder/log.txt; exit \${PIPESTATUS[0]}"
    for ((attempt = 1; attempt <= attempts; attempt++)); do
      status=0
      create
      install
      on_hosts all "$command" || status=$?
      # Bad input (2), bugs (1) and a command that cannot be started (126, 127)
      # end the run; anything else was a cut-off.
      case $status in 0 | 1 | 2 | 126 | 127) exit "$status" ;; esac
      echo "cut off with status $status; going on (attempt $attempt)" >&2
    done
    exit "$status"
    ;;
  logs)
    (($# == 1)) || usage
    on_hosts 0 "tail -n +1 -F $(printf '%q' "brainjax/$1/log.txt")"
    ;;
  fetch)
    (($# == 1)) || usage
    do_ "${tpu[@]}" scp --recurse "$NAME:brainjax/$1" "$1" --zone "$ZONE" --worker 0
    ;;
  delete) delete ;;
  *) usage ;;
esac
