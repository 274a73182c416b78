#!/usr/bin/env bash
# Builds the autograder for Gradescope: zip.sh PYTHON ASSIGNMENT LANGUAGE [FILE]. `make gradescope-zip` runs it.
#   ASSIGNMENT   the id of one that the grader knows, or a TOML file
#   FILE         the archive, by default dist/gradescope.zip
set -euo pipefail
python=$1 assignment=$2 language=$3 out=$(realpath -m "${4:-dist/gradescope.zip}")
[[ $language = ru || $language = en ]] || { echo "gradescope-zip: the language is ru or en, not '$language'" >&2; exit 2; }
"$python" -m grader assignments check "$assignment" >/dev/null 2>&1 || "$python" -m grader assignments list |
  cut -f1 | grep -qxF "$assignment" ||
  { echo "gradescope-zip: '$assignment' is no id of an assignment and no assignment file without mistakes" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m pip wheel --disable-pip-version-check --quiet --no-index --no-deps --no-build-isolation --wheel-dir "$folder" .
cp deploy/gradescope/setup.sh deploy/gradescope/run_autograder requirements/cpu.txt "$folder"
if [ -f "$assignment" ]; then
  cp "$assignment" "$folder/assignment.toml"
  assignment=assignment.toml
fi
printf 'assignment=%q\nlanguage=%q\n' "$assignment" "$language" >"$folder/choices"
chmod 755 "$folder"/setup.sh "$folder"/run_autograder
mkdir -p "$(dirname "$out")"
rm -f "$out"
(cd "$folder" && "$python" -m zipfile -c "$out" ./*)
echo "$out ($((($(wc -c <"$out") + 1023) / 1024)) KB): upload it as the autograder (docs/lms/without-lti.md)"
