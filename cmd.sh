#!/usr/bin/env bash
# How jobs are started. Every stage runs its work as
#     ${train_cmd} JOB=1:N path/name.JOB.log command...       (CPU)
#     ${cuda_cmd} --gpu 1 path/name.log command...            (GPU)
# which is the contract of Kaldi's run.pl, queue.pl and slurm.pl: put those here to use a cluster,
# for example train_cmd="queue.pl --mem 4G". Options such as --gpu come after these words.
# shellcheck disable=SC2034  # used by the sourcing script
train_cmd=${train_cmd:-run_local.sh}
# shellcheck disable=SC2034
cuda_cmd=${cuda_cmd:-run_local.sh}
