#!/bin/bash
# Every file is in the tree's format, spelled, and free of what scripts/check --cheap finds.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
exec scripts/check --cheap --all
