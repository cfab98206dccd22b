#!/usr/bin/env bash
# Your own videos: people who talk into a camera, with or without transcripts.
#   egs/own/av1/run.sh --db_root /where/the/videos/are --say_text "..." [options of the root run.sh]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "${here}/../../.." && pwd)
# A few minutes of one person, on a processor: GRID's models for that are of the right size.
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus own \
    --local_data "${here}/local/data.sh" \
    --say_text "" \
    --token_type phn \
    --g2p auto \
    --normalise auto \
    --tts_config "${root}/egs/grid/av1/conf/train_jets_cpu.yaml" \
    --init_tts "${root}/silvertalk/voices/en_kathleen" \
    --syncnet_config "${root}/egs/grid/av1/conf/train_syncnet_cpu.yaml" \
    --wav2lip_config "${root}/egs/grid/av1/conf/train_wav2lip_cpu.yaml" \
    --portrait_config "${root}/egs/grid/av1/conf/train_makeittalk_MODEL_cpu.yaml" \
    "$@"
