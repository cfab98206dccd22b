#!/usr/bin/env bash
# Inside a Slurm job: starts TASKS processes of a training on every node of the job.
#   on_nodes.sh TASKS COMMAND [ARGUMENT...]
# They find each other by MASTER_ADDR and MASTER_PORT, which may be set before. When one fails, all end.
set -euo pipefail

if [ -z "${SLURM_JOB_ID:-}" ]; then
    echo "on_nodes.sh: this is no Slurm job; start it by a Slurm backend of cmd.sh" >&2
    exit 1
fi
tasks=$1
shift
# The job's script runs on the first node, which has process 0. Names in Slurm's own lists need not resolve.
export MASTER_ADDR=${MASTER_ADDR:-$(uname -n)} MASTER_PORT=${MASTER_PORT:-$((15000 + SLURM_JOB_ID % 10000))}
echo "# ${tasks} processes on each of ${SLURM_JOB_NUM_NODES} nodes (${SLURM_JOB_NODELIST}), which meet at ${MASTER_ADDR}:${MASTER_PORT}"
# All of a node's processors are for all of its processes, which start threads and loaders themselves.
exec srun --nodes "${SLURM_JOB_NUM_NODES}" --ntasks-per-node "${tasks}" --cpu-bind none --overcommit \
    --kill-on-bad-exit=1 "$@"
