#!/usr/bin/env bash
# Sourced: how jobs are started. Every stage runs its work as
#     ${train_cmd} JOB=1:N path/name.JOB.log command...       (CPU)
#     ${cuda_cmd} --gpu 1 path/name.log command...            (GPU)
# which is the contract of Kaldi's run.pl, queue.pl and slurm.pl. docs/CLUSTER.md has the details.
#   local      this machine
#   slurm      a Slurm cluster, with the sbatch options of conf/slurm.conf
#   otherwise  a program of your own under that contract, as "queue.pl --config conf/queue.conf"
# Choose here, or for one run:  SILVERTALK_CMD_BACKEND=slurm ./run.sh --nj 50
cmd_backend=${SILVERTALK_CMD_BACKEND:-local}

case "${cmd_backend}" in
    local) cmd_program="run_local.sh" cpu_options="" gpu_options="" ;;
    slurm) cmd_program="run_slurm.py --retries 1" cpu_options="--mem 4G" gpu_options="--mem 16G --num-threads 4" ;;
    *) cmd_program=${cmd_backend} cpu_options="" gpu_options="" ;;
esac
# More of your own, such as cpu_options="--mem 8G --time 4:00:00", goes here.

if ! command -v "${cmd_program%% *}" >/dev/null; then
    echo "cmd.sh: no program '${cmd_program%% *}' for cmd_backend=${cmd_backend}; write local, slurm or a program that is on the PATH" >&2
    return 1
fi
# shellcheck disable=SC2034  # used by the sourcing script
train_cmd=${train_cmd:-${cmd_program}${cpu_options:+ ${cpu_options}}}
# shellcheck disable=SC2034
cuda_cmd=${cuda_cmd:-${cmd_program}${gpu_options:+ ${gpu_options}}}
