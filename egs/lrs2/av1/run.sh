#!/usr/bin/env bash
# LRS2: 29 hours of sentences (and 195 more of longer clips) from British television, audio and video.
#   egs/lrs2/av1/run.sh --db_root /where/lrs2/is --tts_exp /another/voice [options of the root run.sh]
# Each speaker says little: the voice comes from another recipe, see README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "${here}/../../.." && pwd)
# Clips of many broadcasts, each with an offset of its own. The cleaner writes every text in capital letters.
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus lrs2 \
    --local_data "${here}/local/data.sh" \
    --sync_group utt \
    --cleaner tacotron \
    --tts_config "${root}/egs/grid/av1/conf/train_jets_cpu.yaml" \
    --init_tts "${root}/silvertalk/voices/en_kathleen" \
    --syncnet_config "${root}/conf/train_syncnet.yaml" \
    --wav2lip_config "${root}/conf/train_wav2lip.yaml" \
    --portrait_config "${root}/conf/train_makeittalk_MODEL.yaml" \
    "$@"
