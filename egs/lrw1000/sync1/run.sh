#!/usr/bin/env bash
# LRW-1000: 718,018 Mandarin words as pictures of mouths with sound, for the sync expert only (stages 1 to 4 and 9).
#   egs/lrw1000/sync1/run.sh --db_root /where/lrw1000/is --ngpu 1 [options of the root run.sh; --help lists them]
# The expert, exp/syncnet_train_syncnet, goes to other recipes with --syncnet_exp.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here}/../../..
# Words are short: the usual shortest length of stage 4 would drop nearly all of them.
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus lrw1000 \
    --local_data "${here}/local/data.sh" \
    --face_input mouth \
    --min_wav_duration 0.1 \
    --syncnet_config "${root}/conf/train_syncnet.yaml" \
    --stop_stage 9 \
    "$@"
