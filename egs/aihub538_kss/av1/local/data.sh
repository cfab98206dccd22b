#!/usr/bin/env bash
# Stage 1, where it is asked for: that of AI Hub 538, whose data this recipe decodes. --help lists the options.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
exec "${root}/local/corpus.sh" aihub538 "$@"
