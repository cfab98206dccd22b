#!/usr/bin/env bash
# The mini corpus, made on the spot: the defaults of the shared stages, in this folder.
# Options are those of the root run.sh (--help lists them).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${here}/../../../run.sh" --workdir "${here}" "$@"
