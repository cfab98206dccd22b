#!/usr/bin/env bash
# CSMSC (Baker): Mandarin, one woman, 12 hours, no video. Makes a voice.
#   egs/csmsc/tts1/run.sh --db_root /where/BZNSYP/is --ngpu 1 [options of the root run.sh; --help lists them]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "${here}/../../.." && pwd)
# A token is an initial or a final with its tone, by pypinyin. 24 kHz, as KSS.
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus csmsc \
    --local_data "${here}/local/data.sh" \
    --fs 24000 \
    --n_fft 1024 \
    --hop_length 256 \
    --token_type phn \
    --g2p auto \
    --language zh \
    --normalise auto \
    --tts_config "${root}/egs/kss/tts1/conf/train_jets.yaml" \
    "$@"
