#!/usr/bin/env bash
# Resolves pyproject.toml into four hashed lock files, and peers.in and docs.in into one each. `make lock` runs it; it needs uv.
set -euo pipefail
cd "$(dirname "$0")/.."
resolve() {
  uv pip compile --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-header --quiet "$@"
}
compile() { resolve pyproject.toml --group build "$@"; }
# cpu.txt is what the image installs and dev.txt what `make setup` installs: dev.txt is compiled on top of
# cpu.txt, so that both hold the same versions.
compile --extra cpu --override requirements/cpu-overrides.txt --output-file requirements/cpu.txt
compile --extra cpu --override requirements/cpu-overrides.txt --override requirements/dev-overrides.txt --group dev \
  --constraint requirements/cpu.txt --output-file requirements/dev.txt
compile --extra gpu --output-file requirements/gpu.txt
# Of a service whose workers are elsewhere: what cpu.txt holds, less TensorFlow and what comes with it.
compile --constraint requirements/cpu.txt --override requirements/web-overrides.txt --output-file requirements/web.txt
# In environments of their own (`make peers`, `make docs`).
resolve requirements/peers.in --output-file requirements/peers.txt
resolve requirements/docs.in --output-file requirements/docs.txt
