#!/usr/bin/env bash
# Stage 1 of your own recordings: reads the folder db_root and writes data/{tr_no_dev,dev,eval1}. --help lists the options.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
exec "${root}/local/corpus.sh" custom "$@"
