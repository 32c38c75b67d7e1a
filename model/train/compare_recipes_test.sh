#!/bin/bash
# compare_recipes with the real programs, a few hundred images and a step each.
# Arguments: compare_recipes, anybit-train, anybit-train-report.
set -euo pipefail
compare=$1
data=${ANYBIT_TEST_DATA:-/usr/share/datasets/fashion-mnist}
work=${TEST_TMPDIR:-$(mktemp -d)}
mkdir -p "$work/bin" "$work/data"
ln -sf "$PWD/$2" "$work/bin/anybit-train"
ln -sf "$PWD/$3" "$work/bin/anybit-train-report"
export ANYBIT_BIN=$work/bin

fail() {
  echo "$*" >&2
  exit 1
}

# The first 256 rows of each part.
for part in train t10k; do
  { printf '\0\0\x08\x03\0\0\x01\0\0\0\0\x1c\0\0\0\x1c'; zcat "$data/$part-images-idx3-ubyte.gz" | tail -c +17 | head -c $((256 * 784)); } \
    >"$work/data/$part-images-idx3-ubyte"
  { printf '\0\0\x08\x01\0\0\x01\0'; zcat "$data/$part-labels-idx1-ubyte.gz" | tail -c +9 | head -c 256; } \
    >"$work/data/$part-labels-idx1-ubyte"
done 2>/dev/null || true
brief=(-- --data="$work/data" --start_steps=1 --joint_steps=1 --batch=16 --held_out=64 --norm_batches=1)

"$compare" coquant "$work/runs" --seeds "1 2" "${brief[@]}" || fail "the table failed"
rows=$(grep -c '^| teachers alone' "$work/runs/coquant.md")
[[ $rows == 12 ]] || fail "2 accuracies, 2 differences, 7 students and the list of runs are $rows rows: $(cat "$work/runs/coquant.md")"
grep -q '^| coquant .*±' "$work/runs/coquant.md" || fail "two seeds give no deviation"
[[ -s $work/runs/coquant.svg ]] || fail "there is no figure"
[[ -z $(find "$work/runs" -name '*.safetensors' -o -name '*checkpoint*') ]] || fail "a run left more than its report"

# A finished run is not repeated, and tables of one kind share runs.
touch "$work/before"
"$compare" coquant "$work/runs" --seeds "1 2" "${brief[@]}" || fail "the second time failed"
[[ -z $(find "$work/runs" -name '*.json' -newer "$work/before") ]] || fail "a run was made again"

"$compare" coquant "$work/some" --seeds=1 --only "^swapped|^coquant$" "${brief[@]}" || fail "a part of a table failed"
[[ $(cd "$work/some/ladder" && echo *.json) == "coquant.seed1.json coquant_loss_labels.seed1.json" ]] ||
  fail "two rows were asked for: $(ls "$work/some/ladder")"
if "$compare" coquant "$work/no_row" --only nothing 2>"$work/error"; then fail "a table without rows was made"; fi
grep -q "no row of 'coquant' matches 'nothing'" "$work/error" || fail "$(cat "$work/error")"

# Other flags would make another run, and some flags are set by the table.
if "$compare" coquant "$work/runs" --seeds "1 2" "${brief[@]}" --batch=8 2>"$work/error"; then fail "two budgets in a table"; fi
grep -q "seed1' was made with other flags (--points=fp32,.*); name another folder" "$work/error" || fail "$(cat "$work/error")"
if "$compare" coquant "$work/runs" -- --seed=4 2>"$work/error"; then fail "a table with one seed under three names"; fi
grep -q "'--seed' is set by the table itself" "$work/error" || fail "$(cat "$work/error")"

# The deciding experiment chooses by held-out images and tests the chosen alone; it goes on where it was stopped.
"$compare" decide "$work/decided" --seeds=11 "${brief[@]}" || fail "the deciding experiment failed"
[[ $(grep -c '' "$work/decided/deciding.best") == 3 ]] || fail "three are to be chosen: $(cat "$work/decided/deciding.best")"
grep -q '95 % t-interval' "$work/decided/deciding.md" || fail "differences have no intervals"
! grep -q '## Test set' "$work/decided/deciding.md" || fail "the choice has seen the test images"
grep -q '## Test set' "$work/decided/deciding-long.md" || fail "the chosen were not tested"
[[ $(find "$work/decided/deciding" -name '*.seed11.json' | wc -l) == 14 ]] || fail "14 settings are to be compared"
while read -r name; do
  grep -qF "| $name " "$work/decided/deciding-long.md" || fail "'$name' was chosen and has no row"
done <"$work/decided/deciding.best"
touch "$work/before"
"$compare" decide "$work/decided" --seeds=11 "${brief[@]}" || fail "the second time failed"
[[ -z $(find "$work/decided" -name '*seed*.json' -newer "$work/before") ]] || fail "a run was made again"
if "$compare" deciding-long "$work/undecided" "${brief[@]}" 2>"$work/error"; then fail "nothing was chosen"; fi
grep -q "deciding.best' is missing; it is made by the table 'deciding'" "$work/error" || fail "$(cat "$work/error")"

# A failed run is named, and there is no table.
if "$compare" coquant "$work/failing" --jobs=1 --seeds=1 "${brief[@]}" --arch=none 2>"$work/error"; then
  fail "an unknown architecture made a table"
fi
grep -q "ladder/coquant_teacher_none_swap_0.seed1' failed" "$work/error" || fail "the run is not named: $(cat "$work/error")"
grep -q "no architecture 'none'" "$work/error" || fail "the reason is not told: $(cat "$work/error")"
[[ ! -e $work/failing/coquant.md ]] || fail "there is a table of failed runs"

# The end of the comparison ends its runs.
"$compare" coquant "$work/ended" --seeds 1 "${brief[@]}" --joint_steps=1000000 &
until grep -qs " 50/" "$work"/ended/ladder/*.log; do :; done
kill -TERM $!
status=0
wait $! || status=$?
[[ $status == 143 ]] || fail "a comparison that SIGTERM ended exits with $status"
! pgrep -f "$work/ended" >/dev/null || fail "a run goes on without its comparison"
compgen -G "$work/ended/ladder/*.checkpoint" >/dev/null || fail "an ended run left no checkpoint"

if "$compare" nonsense "$work/none" 2>"$work/error"; then fail "an unknown table was made"; fi
grep -q "no table 'nonsense'; known: recipes, coquant" "$work/error" || fail "$(cat "$work/error")"
