#!/bin/bash
# From traces of the Hessian to a searched point and its place beside the uniform ones, with the default network and few
# images. Arguments: anybit-curvature, anybit-search, anybit-layer-latency, anybit-search-front, the default artifact.
set -euo pipefail
curvature=$1
search=$2
latency=$3
front=$4
artifact=$5
data=${ANYBIT_TEST_DATA:-/usr/share/datasets/fashion-mnist}
work=${TEST_TMPDIR:-$(mktemp -d)}
export OMP_NUM_THREADS=1

fail() {
  echo "$*" >&2
  exit 1
}

few="--artifact=$artifact --data=$data --held_out=200"
# The flags are words.
# shellcheck disable=SC2086
{
  "$curvature" $few --images=16 --samples=2 --out="$work/traces.json" | grep -q "^stage3.block1.conv2 " ||
    fail "a layer has no trace"
  hawq="$few --method=hawq --rungs=w8a8,w1a1 --cost=bytes --calibration=16 --recheck=2 --test=false"
  if "$search" $hawq --out="$work/none" 2>"$work/error"; then fail "hawq searched without traces"; fi
  grep -q -- "--traces must name a file of anybit-curvature" "$work/error" || fail "$(cat "$work/error")"
  "$search" $hawq --traces="$work/traces.json" --budgets=50% --name=hawq --out="$work/searched.safetensors" |
    grep -q "^| hawq1 " || fail "no point was found"
}

# Points in turns, without their layers; then the searched one beside the hull.
"$latency" --artifact="$work/searched.safetensors" --rungs=w8a8,w1a1,hawq1 --layers=false --rows=1 --choose=1s \
  --each=1s --out="$work/points.json" | grep -q "^  hawq1 .* us$" || fail "the point was not measured"
"$front" --artifact="$work/searched.safetensors" --latency="$work/points.json" --uniform=w8a8,w1a1 --data="$data" \
  --report="$work/front.json" --svg="$work/front.svg" >"$work/table"
grep -q "^| hawq1 .*(2 errors: " "$work/table" || fail "$(cat "$work/table")"
grep -q '"method": "hawq"' "$work/front.json" || fail "the report lacks the point's method"
grep -q "searched, hawq" "$work/front.svg" || fail "the figure lacks the method"
if "$front" --artifact="$work/searched.safetensors" --latency="$work/points.json" --data="$data" 2>"$work/error"; then
  fail "uniform points that were not measured were accepted"
fi
grep -q "no latency of uniform point 'w4a4f'" "$work/error" || fail "$(cat "$work/error")"
