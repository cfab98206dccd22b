#!/usr/bin/env bash
# Stage 1 of CSMSC: reads the corpus in db_root and writes data/{tr_no_dev,dev,eval1}. --help lists the options.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
exec "${root}/local/corpus.sh" csmsc "$@"
