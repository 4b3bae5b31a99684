#!/bin/sh
# A backend under test, on any CI: ten chargers have their buttons pressed, then tests in Python. The exit status is 0 if all is well.
#
#   CSMS_URL=ws://backend:9000/ocpp sh examples/ci/run.sh [FOLDER]
#
# Without CSMS_URL the CSMS of this project stands in. FOLDER (ci-results) gets junit.xml, answers.jsonl, frames.jsonl, events.jsonl.
set -eu
for needed in station-sim python; do
    command -v "$needed" >/dev/null || { echo "run.sh: no $needed on the PATH; perhaps \`. .venv/bin/activate\` first" >&2; exit 2; }
done
python -c 'import pytest, sim' || { echo "run.sh: install pytest beside station-sim; here \`make .venv/stamps/dev\`" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-ci-results}
mkdir -p "$out"
status=0

if [ -z "${CSMS_URL:-}" ]; then
    : >"$out/csms.jsonl"
    station-sim csms --port 0 --json --card 04A1B2C3 --reject-unknown-cards >>"$out/csms.jsonl" &
    csms=$!
    trap 'kill "$csms"; wait "$csms" || true' EXIT
    until grep -q listening "$out/csms.jsonl"; do
        kill -0 "$csms"
        sleep 0.1
    done
    CSMS_URL=$(sed -n 's/.*"listening": *"\([^"]*\)".*/\1/p' "$out/csms.jsonl" | head -n 1)
fi
export CSMS_URL

echo "== buttons: ten chargers against $CSMS_URL"
for number in 1 2 3 4 5 6 7 8 9 10; do
    sed -n "s/^{/{\"station\": \"CI$number\", /p" "$here/buttons.txt"
done >"$out/buttons.jsonl"
station-sim run --csms "$CSMS_URL" --id CI1 --count 10 --connect-within 30 --commands "$out/buttons.jsonl" --quiet \
    --record "$out/frames.jsonl" --events "$out/events.jsonl" >"$out/answers.jsonl" || status=$?
grep '"ok":false' "$out/answers.jsonl" || true

echo "== tests"
python -m pytest -q "$here/test_backend.py" --junitxml "$out/junit.xml" || status=$?

exit "$status"
