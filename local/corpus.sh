#!/usr/bin/env bash
# Stage 1 of any corpus that has a reader in silvertalk/data/corpora: an egs' local/data.sh calls it with the
# corpus' name, run.sh's options and the reader's own. --help lists them.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=path.sh
. "${root}/path.sh"
exec "${python}" -m silvertalk.bin.corpus_prepare "$@"
