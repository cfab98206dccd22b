#!/usr/bin/env bash
# VoxCeleb2: 6,112 speakers, 1.1 million clips of faces with sound, no transcripts.
#   egs/voxceleb2/av1/run.sh --db_root /where/voxceleb2/is --ngpu 1 [options of the root run.sh; --help lists them]
# With --tts_exp /a/voice of another recipe the trained face also speaks a sentence.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here}/../../..
# Every clip may come from another camera, so each has an audio-video offset of its own.
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus voxceleb2 \
    --local_data "${here}/local/data.sh" \
    --sync_group utt \
    --syncnet_config "${root}/conf/train_syncnet.yaml" \
    --wav2lip_config "${root}/conf/train_wav2lip.yaml" \
    --portrait_config "${root}/conf/train_makeittalk_MODEL.yaml" \
    "$@"
