#!/usr/bin/env bash
# Makes and measures the figures of README.md on the demo world: models/fine-tune/demo.sh [WORK_DIR]
#
# Needs Rust (or the command in $RECSYS) and Python 3.11 or later. Works in WORK_DIR (default target/fine-tune).
# Half an hour on two shared cores.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${1:-$root/target/fine-tune}
threads=${THREADS:-2}
mkdir -p "$work"
work=$(cd "$work" && pwd)

if [[ -z ${RECSYS:-} ]]; then
    (cd "$root" && cargo build --quiet --release -p recsys-cli)
    RECSYS=$root/target/release/recsys
fi
if [[ -z ${PYTHON:-} ]]; then
    PYTHON=$work/venv/bin/python
    [[ -x $PYTHON ]] || python3 -m venv "$work/venv"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
fi
export OMP_WAIT_POLICY=passive

cd "$work"
[[ -d world ]] || "$RECSYS" demo-world --out world --no-mp4 --frames 8 --threads "$threads"
[[ -f split/neighbours.jsonl ]] || "$RECSYS" demo-pairs --out split --split heldout --seed 1 --threads "$threads"
[[ -d base ]] || "$PYTHON" "$root/models/mini-clip/from_onnx.py" base
"$PYTHON" "$here/demo.py" world split .
"$PYTHON" "$here/pairs.py" --catalogue world/videos.jsonl --events world/events.jsonl --held-out held-out.txt \
    --text '{genre}' --ask '{genre} {keywords}' --hold '{name}' --out site

# run NAME MEASURE_OPTIONS -- ADAPT_OPTIONS
run() {
    local name=$1 measure=()
    shift
    while [[ $1 != -- ]]; do
        measure+=("$1")
        shift
    done
    shift
    rm -rf "$name"
    echo "## $name: adapt.py $*"
    "$PYTHON" "$here/adapt.py" --model base --hold site/hold.txt --out "$name" --recsys "$RECSYS" \
        --cache site.cache --threads "$threads" "$@"
    "$PYTHON" "$here/measure.py" --base base --adapted "$name" --queries site/held-out colour captions --recsys "$RECSYS" \
        --cache measure --threads "$threads" --json "$name.json" "${measure[@]}"
}
words=(--pairs site/pairs.jsonl)
run words --work deployed -- "${words[@]}"
run rows-alone -- "${words[@]}" --freeze-projections
run nothing-held -- "${words[@]}" --hold-weight 0 --pull 0
for pictures in 30 100 300; do
    run "words-$pictures" -- "${words[@]}" --limit "$pictures"
done
run colour-adapted --work deployed -- --cowatch colour/cowatch.jsonl
run watched -- --cowatch site/cowatch.jsonl
run both -- "${words[@]}" --cowatch site/cowatch.jsonl
