#!/usr/bin/env bash
# Makes the environment if there is none, and runs the tests (pytest's options are passed on):
#   ./test.sh                 everything; tests of the trained mini recipe need ./run.sh before
#   ./test.sh test/media -x   some of it
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"${root}/tools/setup_env.sh"
# shellcheck source=path.sh
. "${root}/path.sh"
cd "${root}"
if [ $# -gt 0 ]; then exec python -m pytest "$@"; fi
# A process for each core; tests of one file stay together, because they share what is costly to make.
export OMP_NUM_THREADS=1
exec python -m pytest -q --numprocesses auto --dist loadfile test
