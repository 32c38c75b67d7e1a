#!/bin/bash
# Exports the fp32 point of the default network with torchvision's names and converts it again, on a few real images.
# Arguments: anybit-convert, the default artifact.
set -euo pipefail
convert=$1
artifact=$2
data=${ANYBIT_TEST_DATA:-/usr/share/datasets/fashion-mnist}
work=${TEST_TMPDIR:-$(mktemp -d)}

fail() {
  echo "$*" >&2
  exit 1
}

"$convert" --export_float="$artifact" --out="$work/float.safetensors"
"$convert" --weights="$work/float.safetensors" --arch=fashion --data="$data" --points=fp32,w8a8,w4a4f --images=64 \
  --test_images=400 --out="$work/network.safetensors" --report="$work/run.json" --label=plain | tee "$work/table"
grep -q '"test_images": "400"' "$work/run.json" || fail "the report lacks what was measured"
grep -q '"recipe": "plain"' "$work/run.json" || fail "the report lacks its label"
[[ -s $work/network.safetensors ]] || fail "no artifact was written"

# On 400 images a point of accuracy is 4 of them: w8a8 within 1 % of fp32, w4a4f within 6 %, fp32 as trained.
awk '$1 == "fp32" {full = $2 + 0} $1 == "w8a8" {eight = $2 + 0} $1 == "w4a4f" {four = $2 + 0}
     END {exit !(full > 88 && eight > full - 1 && four > full - 6)}' "$work/table" || fail "an accuracy is too low"

# Weights that do not fit are named in the error.
if "$convert" --weights="$work/float.safetensors" --arch=fashion_tiny --out="$work/none" 2>"$work/error"; then
  fail "weights of another network were taken"
fi
grep -q "of another shape: 'conv1.weight' \[64,1,3,3\], expected \[8,1,3,3\]" "$work/error" || fail "$(cat "$work/error")"
[[ ! -e $work/none ]] || fail "an artifact was written although the weights do not fit"

# Images that cannot be read are found before the conversion, and named.
for class in 0 1 2 3 4 5 6 7 8 9; do
  mkdir -p "$work/images/train/$class" "$work/images/val/$class"
  for split in train val; do printf 'no image' >"$work/images/$split/$class/1.png"; done
done
if "$convert" --weights="$work/float.safetensors" --arch=fashion --data="$work/images" --out="$work/none" \
  --max_damaged=9 2>"$work/error"; then
  fail "a network was made of images that cannot be read"
fi
grep -q "10 examples of 10 cannot be read, limit 9: '$work/images/train/0/1.png': not a PNG, JPEG or PGM image; .*(--max_damaged=10 leaves them out)" "$work/error" || fail "$(cat "$work/error")"
[[ ! -e $work/none ]] || fail "an artifact was written of no images"
