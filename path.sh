#!/usr/bin/env bash
# Sourced: the environment of the recipes. `python` is the one of .venv, or the one that
# SILVERTALK_PYTHON names; SILVERTALK_VENV puts .venv in another folder.
SILVERTALK_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SILVERTALK_ROOT

if [ "${BASH_VERSINFO[0]}${BASH_VERSINFO[1]}" -lt 44 ]; then
    echo "path.sh: bash 4.4 or newer is needed, this is ${BASH_VERSION}" >&2
    return 1
fi

if [ -n "${SILVERTALK_PYTHON:-}" ]; then
    python_folder=$(cd "$(dirname "${SILVERTALK_PYTHON}")" 2>/dev/null && pwd) || python_folder=
    # Not our environment, so the package is not installed in it.
    export PYTHONPATH="${SILVERTALK_ROOT}${PYTHONPATH:+:${PYTHONPATH}}"
else
    python_folder=${SILVERTALK_VENV:-${SILVERTALK_ROOT}/.venv}/bin
fi
if [ ! -x "${python_folder}/python" ]; then
    echo "path.sh: no ${python_folder}/python; run tools/setup_env.sh," \
        "or let SILVERTALK_PYTHON name an existing environment's bin/python" >&2
    return 1
fi
# shellcheck disable=SC2034  # for the stages
python=python
export PATH="${python_folder}:${SILVERTALK_ROOT}/local:${PATH}"
unset python_folder

for program in awk df find flock grep ps sed sha256sum sort tail; do
    if ! command -v "${program}" >/dev/null; then
        echo "path.sh: the program '${program}' is missing; install it (package procps, util-linux, coreutils or gawk)" >&2
        return 1
    fi
done
unset program

# Kaldi's tables are sorted by bytes; Python reads and writes UTF-8 whatever the locale says.
export LC_ALL=C
export PYTHONIOENCODING=UTF-8 PYTHONUTF8=1
# Logs show a line when it is written, not when a buffer is full.
export PYTHONUNBUFFERED=1
# Threads that wait sleep instead of spinning: on a machine shared with a loader process or another
# user, spinning made a training step six times slower.
export OMP_WAIT_POLICY=PASSIVE
