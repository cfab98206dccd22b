#!/usr/bin/env bash
# A KSS voice on AI Hub 538 faces: the models of two recipes together. Nothing is trained here.
#   egs/aihub538_kss/av1/run.sh [options of the root run.sh; --help lists them]
# README.md says which recipes come before.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
egs=$(cd "${here}/../.." && pwd)
# The voice's folder is named after the converter that was there.
voice=${egs}/kss/tts1/exp/tts_train_jets_raw_phn_none_korean_jaso
[ -d "${voice}" ] || voice=${voice/%korean_jaso/g2pk}
face=${egs}/aihub538/av1
# Stages 1 to 4 are those of the recipe whose data are used; corpus, features and folders are named as there.
exec "${egs}/../run.sh" \
    --workdir "${here}" \
    --stage 8 \
    --corpus aihub538 \
    --local_data "${here}/local/data.sh" \
    --datadir "${face}/data" \
    --dumpdir "${face}/dump" \
    --fs 24000 \
    --n_fft 1024 \
    --hop_length 256 \
    --token_type phn \
    --tts_exp "${voice}" \
    --syncnet_exp "${face}/exp/syncnet_train_syncnet" \
    --wav2lip_exp "${face}/exp/wav2lip_train_wav2lip" \
    --say_text "안녕하세요" \
    "$@"
