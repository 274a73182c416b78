#!/usr/bin/env bash
# Creates the environment: setup.sh VENV LOCK. `make setup` runs it. It says what is missing when something is.
set -euo pipefail
venv=$1 lock=$2
say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$@" >&2; exit 1; }

python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
  if command -v "$candidate" >/dev/null &&
    "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || fail \
  "no Python 3.11, 3.12 or 3.13 found (${PYTHON:-python3}: $("${PYTHON:-python3}" --version 2>&1 || true))." \
  "Install one, or name it: make setup PYTHON=/path/to/python3.12"
"$python" -c 'import venv, ensurepip' 2>/dev/null || fail \
  "$python has no venv module. On Debian or Ubuntu: apt install python3-venv"
[ "$(uname -s)" = Linux ] || fail "the sandbox needs Linux; on $(uname -s) use the container image (README.md)."
[ "$(uname -m)" = x86_64 ] || fail "tensorflow-cpu has wheels for x86-64 only; this is $(uname -m)."
[ "$("$python" -c 'import platform; print(platform.libc_ver()[0])')" = glibc ] || fail \
  "tensorflow-cpu has wheels for glibc only; use Debian, Ubuntu or the like, or the container image (README.md)."
[ -w . ] || fail "the folder $PWD cannot be written; $venv is made in it."

version() { "$1" -c 'import sys; print(*sys.version_info[:2], sep=".")' 2>/dev/null; }
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 ||
  { [ -n "${PYTHON:-}" ] && [ "$(version "$venv/bin/python")" != "$(version "$python")" ]; }; then
  say "creating $venv with $("$python" --version)"
  "$python" -m venv --clear "$venv"
fi
# --no-deps: the lock names every package; pip would add the `tensorflow` that the lock drops for tf-keras.
say "installing the locked dependencies (about 1.6 GB on disk; the first time takes a few minutes)"
"$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --require-hashes --requirement "$lock"
say "installing lstm-grader itself"
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
say "ready: $("$venv/bin/python" --version), TensorFlow $("$venv/bin/python" -c \
  'from importlib.metadata import version; print(version("tensorflow-cpu"))'), in $venv"
# At the end, where it is read. Not grep -q: it would leave early, and pipefail take the broken pipe for an answer.
ldconfig=$(PATH=$PATH:/sbin:/usr/sbin command -v ldconfig || true)
if [ -n "$ldconfig" ] && ! "$ldconfig" -p | grep 'libseccomp\.so\.2' >/dev/null; then
  say "note: nothing can be graded before libseccomp.so.2 is installed (Debian, Ubuntu: apt install libseccomp2)"
fi
