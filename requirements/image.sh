#!/usr/bin/env bash
# The steps that the Dockerfile's targets share: image.sh dependencies LOCK, image.sh application, image.sh references.
set -euo pipefail
venv=/opt/venv
# The base image's pip: ours has none.
install() {
  /usr/local/bin/python -m pip --python "$venv/bin/python" --disable-pip-version-check --no-cache-dir install --no-deps "$@"
}

dependencies() {
  python -m venv --without-pip "$venv"
  # --no-deps: the lock names every package, and leaves out on purpose what tf-keras would ask for (setup.sh).
  install --require-hashes --requirement "$1"
  cd "$venv"/lib/python3.*/site-packages
  # C++ headers (287 MB) and libclang (64 MB): nothing is compiled here. Stubs that IPython completes words from (32 MB).
  rm -rf tensorflow/include clang jedi/third_party
  # NumPy's tests (13 MB). Those of others are imported by their packages.
  find numpy -type d -name tests -prune -exec rm -r {} +
  # Languages that we do not speak (28 MB).
  find babel/locale-data -name '*.dat' ! -name root.dat ! -name 'en*.dat' ! -name 'ru*.dat' -delete
  # Names for debuggers (230 MB, nearly all of TensorFlow). The loader does not read them.
  find cryptography greenlet sqlalchemy -name '*.so' -exec strip --strip-unneeded {} +
  find . -path './tensorflow/libtensorflow_*.so.2' -exec strip --strip-unneeded {} +
}

application() {
  # Only those that need it: a changed file is in the image twice.
  find . ! -perm -a+r -exec chmod a+r {} +
  find . -type d ! -perm -a+x -exec chmod a+x {} +
  install --no-build-isolation --editable .
  python -m compileall -q app grader reference
  open_data
}

# Whatever uid the container is given (docker run --user) may write there; there is nobody else in it.
open_data() {
  mkdir -p /data
  chown -R grader: /data
  chmod -R a+rwX /data
}

# The reference answers of the built-in assignments, so that the first grade need not wait for them. A new volume on /data
# begins with a copy.
references() {
  python - <<'PYTHON'
import os
from pathlib import Path

from grader.assignment import load_assignments
from reference import ReferenceStore

store = ReferenceStore(Path(os.environ["LSTM_GRADER_CACHE_DIR"]))
for assignment in load_assignments().values():
    store.prepare([case.spec() for case in assignment.cases], digest=assignment.digest)
PYTHON
  open_data
}

"$@"
