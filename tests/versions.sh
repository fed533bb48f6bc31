#!/usr/bin/env bash
# The wheel alone, with the oldest versions that pyproject.toml allows on Python
# 3.11 and with the newest on Python 3.13: the demo to its report in an empty
# folder, then a part of the tests. As root it makes a Debian 13 for its Python
# 3.13, with debootstrap, where there is none.
#
#   tests/versions.sh FOLDER [oldest|newest ...]
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:?usage: tests/versions.sh FOLDER [oldest|newest ...]}"
folder=$(cd "$1" && pwd)
shift
parts=(tests/training/test_loop.py tests/training/test_checkpoints.py
  tests/methods/selfsup/test_networks.py tests/commands/test_before_a_run.py)
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 JAX_PLATFORMS=cpu
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Each dependency at its lower bound, as constraints for pip.
oldest_versions() {
  python3.11 - "$repository/pyproject.toml" <<'EOF'
import re, sys, tomllib

with open(sys.argv[1], 'rb') as file:
    project = tomllib.load(file)['project']
for line in project['dependencies']:
    name, version = re.match(r'([\w-]+)>=([\d.]+)', line).groups()
    print(f'{name}=={version}')
    if name == 'jax':
        print(f'jaxlib=={version}')
EOF
}

# Of the folder that it runs in: venv, wheel, demo, tests. $1 is the Python,
# $2 constraints of pip; the rest are options of pytest.
try() {
  "$1" -m venv venv
  venv/bin/pip install --quiet -c "$2" pytest hypothesis ./*.whl
  venv/bin/pip list 2>/dev/null |
    grep -iE '^(jax|jaxlib|flax|optax|orbax-checkpoint|numpy|scipy) ' || true
  mkdir -p empty
  (
    cd empty
    export BRAINJAX_CACHE=$PWD/cache
    time ../venv/bin/brainjax run --config demo --workdir runs/demo
    test -s runs/demo/report.html
    ../venv/bin/brainjax evaluate runs/demo/reconstructions.npz \
      runs/demo/targets.npz --out scores >scores.txt
    ../venv/bin/brainjax fetch --list >fetch.txt
    ../venv/bin/brainjax configs >configs.txt
  )
  cp -r "$repository/tests" "$repository/configs" "$repository/README.md" .
  venv/bin/python -m pytest -q -o addopts=--import-mode=importlib \
    -o pythonpath=tests "${@:3}" "${parts[@]}"
}

oldest() {
  oldest_versions >constraints.txt
  # JAX before 0.7 compiles a step once more when it goes on from a checkpoint.
  try python3.11 constraints.txt -k 'not test_step_is_compiled_once'
}

newest() {
  : >constraints.txt
  if python3.13 -c '' 2>/dev/null; then  # pyenv has names of what is not there.
    try python3.13 constraints.txt
    return
  fi
  if [ ! -e debian/usr/bin/python3.13 ]; then
    debootstrap --variant=minbase \
      --include=python3,python3-venv,ca-certificates trixie debian
  fi
  cp -L /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt debian/etc/
  cp -L /etc/ssl/certs/ca-certificates.crt debian/etc/ssl/certs/
  mkdir -p debian/trial/repository
  cp ./*.whl constraints.txt debian/trial/
  cp -r "$repository"/{tests,configs,README.md} debian/trial/repository/
  {
    declare -p parts | sed 's/^declare/declare -g/'
    declare -f try
    echo 'set -euo pipefail; repository=/trial/repository; cd /trial'
    echo 'try python3 constraints.txt'
  } >debian/trial/try.sh
  chroot debian /bin/bash /trial/try.sh
}

[ $# -gt 0 ] || set -- oldest newest
# What a build has left in the checkout must not come into the wheel.
rm -rf "$folder/source" "$folder"/*.whl
mkdir "$folder/source"
(
  cd "$repository"
  git ls-files -z --cached --others --exclude-standard |
    xargs -0 cp --parents -t "$folder/source"
)
python3.11 -m pip wheel --quiet --no-deps --wheel-dir "$folder" "$folder/source"
for which in "$@"; do
  mkdir -p "$folder/$which"
  cp "$folder"/brainjax-*.whl "$folder/$which/"
  echo "== $which"
  (cd "$folder/$which" && "$which")
done
