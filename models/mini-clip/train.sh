#!/usr/bin/env bash
# Trains, exports and measures mini-clip from nothing: models/mini-clip/train.sh [WORK_DIR]
#
# Needs Rust, Python 3.11 or later and, for the figures after H.264, ffmpeg. Works in WORK_DIR
# (default target/mini-clip) and writes the model beside this script. Under an hour on two cores.
# A run that was cut off goes on from its last checkpoint when started again.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${1:-$root/target/mini-clip}
pictures=24000
pairs_seed=7
heldout_seed=1
training_seed=7
mkdir -p "$work"
work=$(cd "$work" && pwd)

if [[ ! -x $work/venv/bin/python ]]; then
    "${PYTHON:-python3}" -m venv "$work/venv"
fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
# Only its vocabulary file is used, so its own dependencies can stay away.
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps clip-anytorch==2.6.0

# pairs FOLDER SPLIT SEED SIZE
pairs() {
    if [[ ! -f $1/done ]]; then
        (cd "$root" && cargo run --quiet --release -p recsys-cli -- demo-pairs \
            --out "$1" --split "$2" --seed "$3" --size "$4" --count "$pictures")
        touch "$1/done"
    fi
}
pairs "$work/train" train "$pairs_seed" 64
pairs "$work/heldout" heldout "$heldout_seed" 64
large=()
if command -v ffmpeg >/dev/null; then
    pairs "$work/heldout180" heldout "$heldout_seed" 180
    large=(--large "$work/heldout180")
fi

# Threads that spin while they wait make training several times slower on a busy machine.
export OMP_WAIT_POLICY=passive
python=$work/venv/bin/python
cd "$here"
"$python" train.py --pairs "$work/train" --out "$work/checkpoint.pt" --seed "$training_seed"
"$python" export.py --checkpoint "$work/checkpoint.pt" --heldout "$work/heldout" \
    --hugging-face "$work/mini-clip" --pairs-seed "$pairs_seed" --heldout-seed "$heldout_seed"
"$python" evaluate.py --checkpoint "$work/checkpoint.pt" --model onnx --heldout "$work/heldout" \
    "${large[@]}" --record
cd "$root"
cargo run --quiet --release -p recsys-cli -- model import "$work/mini-clip" --out models/mini-clip \
    --licence "MIT OR Apache-2.0"
