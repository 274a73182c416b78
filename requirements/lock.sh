#!/usr/bin/env bash
# Resolves pyproject.toml into four hashed lock files, and each file .in into one. `make lock` runs it; it needs uv.
#   lock.sh --upgrade-package NAME   or whatever else uv should know
set -euo pipefail
cd "$(dirname "$0")/.."
more=("$@")
resolve() {
  uv pip compile --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-header --quiet ${more[@]+"${more[@]}"} "$@"
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
# In environments of their own.
for name in peers docs release; do
  resolve "requirements/$name.in" --output-file "requirements/$name.txt"
done
