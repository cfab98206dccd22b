#!/usr/bin/env bash
# CMLR: 11 newsreaders, 102 072 Mandarin sentences, audio and video.
#   egs/cmlr/av1/run.sh --db_root /where/cmlr/is --tts_exp /another/voice [options of the root run.sh]
# The voice normally comes from another recipe, see README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "${here}/../../.." && pwd)
# Few speakers with many clips each: the offset of sound and picture is measured on all clips of a speaker together.
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus cmlr \
    --local_data "${here}/local/data.sh" \
    --sync_group spk \
    --say_text "大家好今天天气很好" \
    --tts_config "${root}/egs/grid/av1/conf/train_jets_cpu.yaml" \
    --init_tts "${root}/silvertalk/voices/en_kathleen" \
    --syncnet_config "${root}/conf/train_syncnet.yaml" \
    --wav2lip_config "${root}/conf/train_wav2lip.yaml" \
    --portrait_config "${root}/conf/train_makeittalk_MODEL.yaml" \
    "$@"
