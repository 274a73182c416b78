#!/usr/bin/env bash
# PrairieLearn runs this in the image: grade.sh ASSIGNMENT LANGUAGE.
set -uo pipefail
job=${PRAIRIELEARN_JOB:-/grade}
mkdir -p "$job/results"
lstm-grader grade "$job/student" --assignment "$1" --lang "$2" --format prairielearn --output "$job/results/results.json"
code=$?
# 3: we failed, and the report says so; without a report PrairieLearn calls the job failed. Neither costs the student an attempt.
[ -s "$job/results/results.json" ] && exit 0
exit "$code"
