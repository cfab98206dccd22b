#!/usr/bin/env bash
# Stage 1 of VoxCeleb2: reads the corpus in db_root and writes data/{tr_no_dev,dev,eval1}. Clips that cannot be used
# are listed in data/skipped.tsv.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
exec "${root}/local/corpus.sh" voxceleb2 "$@"
