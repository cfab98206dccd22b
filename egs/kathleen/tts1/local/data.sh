#!/usr/bin/env bash
# Stage 1 of Kathleen: a folder in the layout of egs/custom, with test sentences from all over the list.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
exec "${here}/../../../local/corpus.sh" custom --spk kathleen --dev "${here}/conf/dev.txt" --eval1 "${here}/conf/eval1.txt" "$@"
