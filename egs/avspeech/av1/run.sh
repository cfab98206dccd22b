#!/usr/bin/env bash
# AVSpeech: clips of 3 to 10 s of YouTube videos, one visible speaker each, many languages, no transcripts.
#   egs/avspeech/av1/run.sh --db_root /where/avspeech/is [options of the root run.sh; --help lists them]
# --db_root holds the two lists; with --download true yt-dlp fetches the videos into it first.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here}/../../..
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus avspeech \
    --local_data "${here}/local/data.sh" \
    --syncnet_config "${root}/conf/train_syncnet.yaml" \
    --wav2lip_config "${root}/conf/train_wav2lip.yaml" \
    --portrait_config "${root}/conf/train_makeittalk_MODEL.yaml" \
    "$@"
