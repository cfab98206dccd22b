#!/usr/bin/env bash
# Makes the environment if there is none, and runs the tests (pytest's options are passed on):
#   ./test.sh                 the quick tests; those of the trained mini recipe need ./run.sh before
#   ./test.sh --recipes       those that take seconds: stages of every recipe on a small tree in its corpus' layout
#   ./test.sh --long          those that take a minute and test what seldom changes
#   ./test.sh --all           all three; CI runs the first two: ./test.sh -m "not long"
#   ./test.sh test/media -x   some of it
#   ./test.sh -k mel          those with such names (options alone go to the whole suite)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"${root}/tools/setup_env.sh"
# shellcheck source=path.sh
. "${root}/path.sh"
cd "${root}"
which=()
case "${1:-}" in
    --recipes) which=(-m "recipe and not long") ;;
    --long) which=(-m long) ;;
    --all) which=(-m "") ;;
esac
[ ${#which[@]} -eq 0 ] || shift
if [ $# -gt 0 ] && [[ $1 != -* ]]; then exec python -m pytest "${which[@]}" "$@"; fi
# A process for each core; tests of one file stay together, because they share what is costly to make.
export OMP_NUM_THREADS=1
exec python -m pytest -q --durations 25 --durations-min 2 "${which[@]}" --numprocesses auto --dist loadfile "$@" test
