#!/bin/bash
# No forbidden dependency exists. Arguments: for each rule its .path and its .sources, as forbidden_edge.bzl says.
set -euo pipefail

status=0
fail() {
  printf '%s\n' "$@"
  status=1
}

if [[ $(wc -l <"$ALLOWED") -lt 2 ]]; then
  fail "The queries find nothing: not even that the load generator uses gRPC."
fi
while (($#)); do
  rule=$(basename "$1" .path)
  if [[ -s $1 ]]; then fail "Forbidden dependency ($rule), by this path:" "$(sed 's/^/  /' "$1")"; fi
  if [[ ! -s $2 ]]; then fail "No target is left for the rule $rule: it guards nothing."; fi
  shift 2
done
exit "$status"
