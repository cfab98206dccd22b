#!/usr/bin/env bash
# Stage 1 of AVSpeech: reads the lists and videos in db_root (after fetching what is missing, with --download true) and
# writes data/{tr_no_dev,dev,eval1}. data/missing.tsv lists what is not there, data/skipped.tsv what cannot be used.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
exec "${root}/local/corpus.sh" avspeech "$@"
