#!/usr/bin/env bash
# The steps of the Dockerfile that its two targets share: image.sh dependencies LOCK, then image.sh application.
set -euo pipefail

dependencies() {
  local lock=$1
  python -m venv /opt/venv
  # --no-deps: the lock names every package, and leaves out on purpose what tf-keras would ask for (setup.sh).
  pip install --disable-pip-version-check --no-cache-dir --no-deps --require-hashes --requirement "$lock"
  # 287 MB of C++ headers: nothing is compiled here.
  rm -rf /opt/venv/lib/python3.*/site-packages/tensorflow/include
}

application() {
  chmod -R a+rX .
  pip install --disable-pip-version-check --no-cache-dir --no-deps --no-build-isolation --editable .
  python -m compileall -q app grader reference
  # The reference answers of the built-in assignments, so that the first grade need not wait for them. A new volume on
  # /data begins with a copy.
  python - <<'PYTHON'
import os
from pathlib import Path

from grader.assignment import load_assignments
from reference import ReferenceStore

store = ReferenceStore(Path(os.environ["LSTM_GRADER_CACHE_DIR"]))
for assignment in load_assignments().values():
    store.prepare([case.spec() for case in assignment.cases], digest=assignment.digest)
PYTHON
  # Whatever uid the container is given (docker run --user) may write there; there is nobody else in it.
  chown -R grader: /data
  chmod -R a+rwX /data
}

"$@"
