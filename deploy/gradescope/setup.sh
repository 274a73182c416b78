#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image of an assignment. Python's packages come from the hashed lock
# file; where wheels/ lies beside it, from there and without a network.
set -euo pipefail
cd "$(dirname "$0")"
installed=${LSTM_GRADER_INSTALLED:-/opt/lstm-grader}
venv=$installed/venv

fits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }
python() {
  for candidate in python3.13 python3.12 python3.11 python3; do
    if fits "$candidate"; then command -v "$candidate" && return; fi
  done
  return 1
}

dependencies() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends libseccomp2 bubblewrap
  if ! python >/dev/null; then
    for version in 3.13 3.12 3.11; do
      apt-get install -y -qq --no-install-recommends "python$version" "python$version-venv" 2>/dev/null && break
    done
  fi
  python >/dev/null || { echo "setup: this image has no Python 3.11, 3.12 or 3.13; choose a newer Ubuntu" >&2; exit 1; }
  "$(python)" -m venv --clear "$venv"
  local from=()
  [ ! -d wheels ] || from=(--no-index --find-links wheels)
  # --no-deps: the lock names every package, and leaves out on purpose what tf-keras would ask for.
  "$venv/bin/python" -m pip install --disable-pip-version-check --no-cache-dir --no-deps --require-hashes "${from[@]}" \
    --requirement cpu.txt
}

[ -x "$venv/bin/python" ] || dependencies
# Beside Python's packages and not among them: a submission may read those, and not the grader.
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-index --no-deps --upgrade \
  --target "$installed/packages" ./lstm_grader-*.whl
# shellcheck source=/dev/null
source ./choices
export PYTHONPATH=$installed/packages LSTM_GRADER_CACHE_DIR=$installed/cache
# Builds the answers of Keras, so that no student waits for them. What it says about the host holds for the machine that
# builds the image; each submission looks for itself.
found=$("$venv/bin/python" -P -m grader doctor) || true
[ ! -f "$assignment" ] || "$venv/bin/python" -P -m grader assignments check "$assignment"
# Its first line is the verdict. At the end, where it is read.
printf '%s\n\n%s\n' "$found" "${found%%$'\n'*}"
