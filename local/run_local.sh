#!/usr/bin/env bash
# Runs jobs on this machine under Kaldi's contract:
#   run_local.sh [options] [JOB=1:N] LOG COMMAND [ARGUMENT...]
# JOB in the log's name and in the command is replaced by the job's number. Every job has its log,
# with the command and the start on top and the end, the exit code and the seconds below. When jobs
# fail, the first one's log is shown and the exit code is 1.
#   --max-jobs-run M   at most M jobs at a time (default: cores / threads)
#   --num-threads T    cores that a job may use; sets OMP_NUM_THREADS and MKL_NUM_THREADS
#   --gpu G            GPUs a job uses; with 0 it sees none
#   --num-nodes N      only 1 here
#   --mem SIZE, --time T, --config FILE, -*   for cluster backends; ignored here
set -euo pipefail

log() { printf '%s (run_local.sh) %s\n' "$(date '+%Y-%m-%dT%H:%M:%S')" "$*" >&2; }
usage() { log "error: $1; usage: run_local.sh [--max-jobs-run M] [--num-threads T] [--gpu G] [JOB=1:N] LOG COMMAND..."; exit 1; }
is_count() { [[ $1 =~ ^[0-9]{1,7}$ ]]; }

cores=$(nproc 2>/dev/null || echo 1)
max_jobs=
threads=
gpus=
nodes=
job_name=
first=1
last=1

while [ $# -gt 0 ]; do
    case "$1" in
        --max-jobs-run | --max_jobs_run) max_jobs=${2:-}; shift 2 || usage "$1 needs a value" ;;
        --num-threads | --num_threads) threads=${2:-}; shift 2 || usage "$1 needs a value" ;;
        --gpu) gpus=${2:-}; shift 2 || usage "$1 needs a value" ;;
        --num-nodes | --num_nodes) nodes=${2:-}; shift 2 || usage "$1 needs a value" ;;
        -*) shift 2 || usage "$1 needs a value" ;;
        [A-Za-z_]*=*)
            [[ $1 =~ ^([A-Za-z_]+)=([0-9]+)(:([0-9]+))?$ ]] || usage "'$1' is not of the form JOB=1:N"
            job_name=${BASH_REMATCH[1]}
            first=${BASH_REMATCH[2]}
            last=${BASH_REMATCH[4]:-${first}}
            { [ "${first}" -ge 1 ] && [ "${last}" -ge "${first}" ]; } || usage "'$1' is an empty range or starts below 1"
            shift
            ;;
        *) break ;;
    esac
done
[ $# -ge 2 ] || usage "a log file and a command are needed"
for value in "${max_jobs:-1}" "${threads:-1}" "${gpus:-0}" "${nodes:-1}"; do
    is_count "${value}" || usage "'${value}' is not a number"
done
[ "${nodes:-1}" -le 1 ] || usage "--num-nodes ${nodes}: this is one machine; choose a cluster in cmd.sh"

if [ -n "${threads}" ] && [ "${threads}" -gt 0 ]; then
    export OMP_NUM_THREADS=${threads} MKL_NUM_THREADS=${threads}
fi
# Bars go into the logs only when somebody watches their ends here.
[ ! -t 2 ] || export SILVERTALK_PROGRESS=true
[ "${gpus:-}" != 0 ] || export CUDA_VISIBLE_DEVICES=
if [ -z "${max_jobs}" ]; then
    max_jobs=$((cores / (${threads:-1} > 0 ? ${threads:-1} : 1)))
fi
[ "${max_jobs}" -ge 1 ] || max_jobs=1

log_pattern=$1
shift
command=("$@")
total=$((last - first + 1))

# of_job NUMBER TEXT: sets `text` to TEXT with the job's number in it.
of_job() {
    text=$2
    [ -z "${job_name}" ] || text=${2//${job_name}/$1}
}

results=$(mktemp -d "${TMPDIR:-/tmp}/run_local.XXXXXX")
parent=$PPID
# parent_is_gone: whether whoever started us has ended ($PPID would not change).
parent_is_gone() {
    local now
    read -r _ _ _ now _ </proc/$$/stat 2>/dev/null && [ "${now}" != "${parent}" ]
}

# descendants PID: the process ids below PID, deepest last.
descendants() {
    local child
    for child in $(ps -o pid= --ppid "$1" 2>/dev/null); do
        echo "${child}"
        descendants "${child}"
    done
}

# stop_jobs: ends whatever still runs, politely first.
stop_jobs() {
    local pids
    pids=$(for pid in $(jobs -p); do echo "${pid}"; descendants "${pid}"; done)
    [ -n "${pids}" ] || return 0
    # shellcheck disable=SC2086  # a list of process ids
    kill -TERM ${pids} 2>/dev/null || true
    for _ in {1..20}; do
        # shellcheck disable=SC2086
        kill -0 ${pids} 2>/dev/null || return 0
        sleep 0.2
    done
    # shellcheck disable=SC2086
    kill -KILL ${pids} 2>/dev/null || true
    wait 2>/dev/null || true   # without bash's own note on each killed job
}
# shellcheck disable=SC2317,SC2329  # called by the traps
interrupted() {
    trap '' INT TERM HUP
    clear_status
    log "stopped by a signal; ends its jobs"
    stop_jobs
    exit "$1"
}
trap 'rm -rf "${results}"' EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM HUP

# run_job NUMBER: one job with its log; the exit code goes to a file under ${results}.
run_job() {
    local number=$1 log_file argument text start code=0 arguments=()
    # A signal to the whole group must not end this shell before its command: stop_jobs would lose sight
    # of a command that takes its time to end.
    trap : INT TERM HUP
    of_job "${number}" "${log_pattern}"
    log_file=${text}
    for argument in "${command[@]}"; do
        of_job "${number}" "${argument}"
        arguments+=("${text}")
    done
    start=$(date +%s)
    {
        printf '# %s\n# Running on %s\n# Started at %s\n#\n' "$(printf '%q ' "${arguments[@]}")" \
            "$(uname -n)" "$(date '+%Y-%m-%d %H:%M:%S')"
        "${arguments[@]}" </dev/null || code=$?
        printf '\n# Ended (code %d) at %s, elapsed time %d seconds\n' "${code}" \
            "$(date '+%Y-%m-%d %H:%M:%S')" "$(($(date +%s) - start))"
    } >"${log_file}" 2>&1 || code=1
    echo "${code}" >"${results}/${number}"
}

status_shown=false
# show_status: on a terminal, one line that says how far we are and what the newest log said last.
show_status() {
    [ -t 2 ] || return 0
    local finished newest text columns
    finished=$(find "${results}" -type f | wc -l)
    # shellcheck disable=SC2012  # our own log names, ordered by time
    newest=$(ls -t "${logs[@]}" 2>/dev/null | head -n 1) || true
    text=$(tail -c 2000 "${newest:-/dev/null}" 2>/dev/null | tr '\r' '\n' | grep -v '^$' | tail -n 1 | tr -cd '[:print:]') || true
    columns=$(tput cols 2>/dev/null || echo 80)
    text="  ${finished}/${total} jobs done, ${SECONDS} s | ${text}"
    printf '\r\033[K%s' "${text:0:columns-1}" >&2
    status_shown=true
}
clear_status() {
    [ "${status_shown}" = false ] || printf '\r\033[K' >&2
    status_shown=false
}

logs=()
for ((number = first; number <= last; number++)); do
    of_job "${number}" "${log_pattern}"
    logs+=("${text}")
done
[ "$(printf '%s\n' "${logs[@]}" | sort -u | wc -l)" -eq "${total}" ] \
    || usage "${total} jobs need ${total} logs: put ${job_name} into the log's name '${log_pattern}'"
printf '%s\n' "${logs[@]}" | sed 's|^[^/]*$|./&|; s|/[^/]*$|/|' | sort -u | while IFS= read -r folder; do
    mkdir -p "${folder}" || { log "error: cannot make ${folder} for the logs; choose another place or free the disk"; exit 1; }
done
for log_file in "${logs[@]}"; do
    : >"${log_file}" || { log "error: cannot write ${log_file}; choose another place or free the disk"; exit 1; }
done

# wait_for_slot LIMIT: until fewer than LIMIT jobs run. Also the place where we notice that whoever
# started us was killed: its jobs must not go on behind the back of the next run.
wait_for_slot() {
    local running pauses=(0.02 0.02 0.05 0.05 0.1 0.1 0.2 0.5) turn=0
    while true; do
        mapfile -t running < <(jobs -rp)
        [ "${#running[@]}" -ge "$1" ] || break
        if parent_is_gone; then
            stop_jobs
            exit 1
        fi
        show_status
        sleep "${pauses[turn]}"
        [ "${turn}" -ge 7 ] || turn=$((turn + 1))
    done
}
for ((number = first; number <= last; number++)); do
    wait_for_slot "${max_jobs}"
    run_job "${number}" &
done
wait_for_slot 1
wait
clear_status

failed=()
for ((number = first; number <= last; number++)); do
    [ "$(cat "${results}/${number}" 2>/dev/null)" = 0 ] || failed+=("${number}")
done
[ "${#failed[@]}" -gt 0 ] || exit 0
of_job "${failed[0]}" "${log_pattern}"
log_file=${text}
log "error: ${#failed[@]} of ${total} jobs failed; the end of ${log_file}:"
tail -n 25 "${log_file}" | sed 's/.*\r//; s/^/    /' >&2
exit 1
