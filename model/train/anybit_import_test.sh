#!/bin/bash
# Exports the fp32 point of the default network with torchvision's names and as ONNX, and imports it again, on a few
# real images. Arguments: anybit-import, the default artifact, model/import/testing/onnx_networks.
set -euo pipefail
import=$1
artifact=$2
onnx_networks=$3
data=${ANYBIT_TEST_DATA:-/usr/share/datasets/fashion-mnist}
work=${TEST_TMPDIR:-$(mktemp -d)}

fail() {
  echo "$*" >&2
  exit 1
}

"$import" --export_float="$artifact" --out="$work/float.safetensors"
"$import" --weights="$work/float.safetensors" --arch=fashion --data="$data" --points=fp32,w8a8,w4a4f --images=64 \
  --test_images=400 --out="$work/network.safetensors" --report="$work/run.json" --label=plain | tee "$work/table"
grep -q '"test_images": "400"' "$work/run.json" || fail "the report lacks what was measured"
grep -q '"recipe": "plain"' "$work/run.json" || fail "the report lacks its label"
[[ -s $work/network.safetensors ]] || fail "no artifact was written"

# On 400 images a point of accuracy is 4 of them: w8a8 within 1 % of fp32, w4a4f within 6 %, fp32 as trained.
accurate() {
  awk '$1 == "fp32" {full = $2 + 0} $1 == "w8a8" {eight = $2 + 0} $1 == "w4a4f" {four = $2 + 0}
       END {exit !(full > 88 && eight > full - 1 && four > full - 6)}' "$1"
}
accurate "$work/table" || fail "an accuracy is too low"

# The same network as ONNX is as accurate, and has the name and the labels that it is given.
"$onnx_networks" of_artifact "$artifact" "$work/float.onnx"
for class in 0 1 2 3 4 5 6 7 8 9; do echo "class $class"; done >"$work/labels"
"$import" --model="$work/float.onnx" --data="$data" --points=fp32,w8a8,w4a4f --images=64 --test_images=400 \
  --model_name=mine --labels="$work/labels" --out="$work/imported.safetensors" --sheet="$work/sheet.md" |
  tee "$work/imported"
accurate "$work/imported" || fail "an accuracy of the ONNX network is too low"
grep -q "worst first at w4a4f" "$work/sheet.md" || fail "the sheet lacks its layers"
grep -aq 'class 9' "$work/imported.safetensors" || fail "the artifact lacks its labels"

# Images without labels are enough: accuracies are then agreement with the float network.
mkdir -p "$work/images/below"
for i in 1 2 3 4 5 6 7 8; do
  { printf 'P5 32 32 255\n' && head -c $((i * 6000)) "$work/float.onnx" | tail -c 1024; } >"$work/images/below/$i.pgm"
done
"$import" --model="$work/float.onnx" --calibration="$work/images" --points=fp32,w8a8 \
  --out="$work/calibrated.safetensors" | tee "$work/calibrated"
awk '$1 == "fp32" {full = $2 + 0} $1 == "w8a8" {eight = $2 + 0; noise = $3 + 0}
     END {exit !(full == 100 && eight >= 75 && noise > 15)}' "$work/calibrated" || fail "the points disagree"
rm -r "$work/images"

# Without images, and for a file that is no network, nothing is written.
for wrong in "--model=$work/float.onnx" "--model=$work/labels --calibration=$work"; do
  # The flags are words.
  # shellcheck disable=SC2086
  if "$import" $wrong --out="$work/none" 2>"$work/error"; then fail "'$wrong' was accepted"; fi
  [[ ! -e $work/none ]] || fail "an artifact was written for '$wrong'"
done
grep -q "no ONNX model" "$work/error" || fail "$(cat "$work/error")"

# Weights that do not fit are named in the error.
if "$import" --weights="$work/float.safetensors" --arch=fashion_tiny --out="$work/none" 2>"$work/error"; then
  fail "weights of another network were taken"
fi
grep -q "of another shape: 'conv1.weight' \[64,1,3,3\], expected \[8,1,3,3\]" "$work/error" || fail "$(cat "$work/error")"
[[ ! -e $work/none ]] || fail "an artifact was written although the weights do not fit"

# Images that cannot be read are found before the conversion, and named.
for class in 0 1 2 3 4 5 6 7 8 9; do
  mkdir -p "$work/images/train/$class" "$work/images/val/$class"
  for split in train val; do printf 'no image' >"$work/images/$split/$class/1.png"; done
done
if "$import" --weights="$work/float.safetensors" --arch=fashion --data="$work/images" --out="$work/none" \
  --max_damaged=9 2>"$work/error"; then
  fail "a network was made of images that cannot be read"
fi
grep -q "10 examples of 10 cannot be read, limit 9: '$work/images/train/0/1.png': not a PNG, JPEG or PGM image; .*(--max_damaged=10 leaves them out)" "$work/error" || fail "$(cat "$work/error")"
[[ ! -e $work/none ]] || fail "an artifact was written of no images"
