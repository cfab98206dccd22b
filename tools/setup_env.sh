#!/usr/bin/env bash
# Makes the Python environment .venv from tools/requirements.lock and installs this package in it.
# run.sh and test.sh call it: it does nothing when the environment is there and fits the lock, and
# goes on where it stopped when it was killed. It needs Python 3.11, 7 GB of disk (12 GB without uv)
# and the network: about 1 to 10 minutes. No root, no system packages.
#   SILVERTALK_PYTHON=/path/bin/python  use this environment; it is checked, nothing is installed
#   SILVERTALK_VENV=/path/folder        make the environment there instead of in .venv
# Usage: tools/setup_env.sh
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=local/common.sh
. "${root}/local/common.sh"
[ $# -eq 0 ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; [[ $1 =~ ^(-h|--help)$ ]]; exit; }

lock_file=${root}/tools/requirements.lock
venv=${SILVERTALK_VENV:-${root}/.venv}
stamp=${venv}/.silvertalk_stamp
check=("${root}/tools/check_env.py" --lock "${lock_file}")

if [ -n "${SILVERTALK_PYTHON:-}" ]; then
    command -v "${SILVERTALK_PYTHON}" >/dev/null \
        || die "SILVERTALK_PYTHON=${SILVERTALK_PYTHON} is no program; name an environment's bin/python or unset it"
    "${SILVERTALK_PYTHON}" "${check[@]}" --installed \
        || die "the environment of SILVERTALK_PYTHON=${SILVERTALK_PYTHON} lacks what is listed above;" \
            "install it there, or unset SILVERTALK_PYTHON to let this script make .venv"
    exit 0
fi

wanted="$(cat "${lock_file}" "${root}/pyproject.toml" | sha256sum | cut -c 1-16) ${root}"
is_ready() { [ -x "${venv}/bin/python" ] && [ -f "${stamp}" ] && [ "$(cat "${stamp}")" = "${wanted}" ]; }
! is_ready || exit 0

{ mkdir -p "${venv%/*}" 2>/dev/null && [ -w "${venv%/*}" ]; } \
    || die "cannot write in ${venv%/*}; set SILVERTALK_VENV=/a/writable/folder/venv"
exec 8>>"${venv}.lock"
flock -n 8 || { log "waits for another installation in ${venv}"; flock 8; }
! is_ready || exit 0

# find_python: prints a Python 3.11.
find_python() {
    local candidate
    for candidate in python3.11 python3 python; do
        if "${candidate}" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "${candidate}"
            return 0
        fi
    done
    uv python find --no-project '>=3.11,<3.12' 2>/dev/null
}

# make_venv: an empty environment, unless there is a working one.
make_venv() {
    local version python
    if version=$("${venv}/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); then
        [ "${version}" = 3.11 ] \
            || die "${venv} is of Python ${version}, 3.11 is needed; remove that folder or set SILVERTALK_VENV to another"
        return 0
    fi
    [ ! -d "${venv}" ] || [ -e "${venv}/pyvenv.cfg" ] || [ -z "$(ls -A "${venv}")" ] \
        || die "${venv} is there but is no Python environment; move it away or set SILVERTALK_VENV to another folder"
    python=$(find_python) \
        || die "no Python 3.11 found; install it (apt install python3.11 python3.11-venv, conda create -n py311 python=3.11," \
            "or uv python install 3.11), have python3.11 on the PATH, and run this again"
    log "makes ${venv} with ${python}"
    rm -rf "${venv}"
    if command -v uv >/dev/null; then
        uv venv --quiet --python "${python}" "${venv}"
    else
        "${python}" -m venv "${venv}" \
            || die "${python} cannot make environments; install its venv module (apt install python3.11-venv) or uv"
    fi
}

# choose_installer: sets the array `install`, uv where it can be had.
choose_installer() {
    if command -v uv >/dev/null; then
        install=(uv pip install --python "${venv}/bin/python")
    elif "${venv}/bin/python" -m uv --version >/dev/null 2>&1 \
        || "${venv}/bin/python" -m pip install --quiet --disable-pip-version-check uv 2>/dev/null; then
        install=("${venv}/bin/python" -m uv pip install --python "${venv}/bin/python")
    else
        "${venv}/bin/python" -m pip --version >/dev/null 2>&1 \
            || die "neither uv nor pip is in ${venv}; remove that folder and run this again"
        install=("${venv}/bin/python" -m pip install --disable-pip-version-check)
    fi
}

# check_disk: enough for what is still to be installed.
check_disk() {
    local free there needed=7000
    [[ ${install[*]} == *uv* ]] || needed=12000
    there=$(du -sm "${venv}" | cut -f 1)
    free=$(df -Pm "${venv}" | awk 'NR == 2 {print $4}')
    needed=$((needed > there ? needed - there : 0))
    [ "${free}" -ge "${needed}" ] \
        || die "the environment needs ${needed} MB more disk at ${venv}, ${free} MB are free;" \
            "free some, or set SILVERTALK_VENV to a folder on a larger disk"
    [ "${needed}" -le 1000 ] \
        || log "installs the packages of ${lock_file##*/}: ${needed} MB of disk, 1 to 10 minutes with a good network"
}

make_venv
choose_installer
check_disk
# Bars for a person, no list of 180 names in a log.
[ -t 2 ] || install+=(--quiet)
# A killed installation may have left packages without some of their files: those are forgotten here
# and so installed again.
"${venv}/bin/python" "${check[@]}" --forget_broken
"${install[@]}" --no-deps -r "${lock_file}" \
    || die "the packages could not be installed (see above); check the network and the disk and run this again"
"${install[@]}" --no-deps --no-build-isolation -e "${root}" \
    || die "this package could not be installed in ${venv} (see above); is ${root} writable?"
"${venv}/bin/python" "${check[@]}" --installed \
    || die "the environment is incomplete (see above); remove ${venv} and run this again"
printf '%s\n' "${wanted}" >"${stamp}.tmp"
mv -f "${stamp}.tmp" "${stamp}"
log "the environment ${venv} is ready"
