#!/usr/bin/env bash
# AI Hub 538 (OLKAVS): Korean, 1,107 speakers, sound and video of up to nine cameras.
#   egs/aihub538/av1/run.sh --db_root /where/aihub538/is --ngpu 1 [options of the root run.sh; --help lists them]
# Where the corpus still lies in .tar files, add --local_data_opts "--extract_dir FOLDER".
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "${here}/../../.." && pwd)
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus aihub538 \
    --local_data "${here}/local/data.sh" \
    --fs 24000 \
    --n_fft 1024 \
    --hop_length 256 \
    --tts_config "${root}/egs/kss/tts1/conf/train_jets.yaml" \
    --syncnet_config "${root}/conf/train_syncnet.yaml" \
    --wav2lip_config "${root}/conf/train_wav2lip.yaml" \
    --portrait_config "${root}/conf/train_makeittalk_MODEL.yaml" \
    --say_text "안녕하세요" \
    "$@"
