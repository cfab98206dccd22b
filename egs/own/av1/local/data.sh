#!/usr/bin/env bash
# Stage 1 of your own videos: reads the folder db_root and writes data/{tr_no_dev,dev,eval1}. Videos that cannot be
# used are listed in data/skipped.tsv.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
exec "${root}/local/corpus.sh" own "$@"
