#!/usr/bin/env bash
# HDTF: addresses of politicians on YouTube, 17 hours in up to 1080 lines, no transcripts.
#   egs/hdtf/av1/run.sh --db_root /where/hdtf/is [options of the root run.sh; --help lists them]
# With --download true the lists and, by yt-dlp, the videos are fetched into --db_root first.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here}/../../..
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus hdtf \
    --local_data "${here}/local/data.sh" \
    --syncnet_config "${root}/conf/train_syncnet.yaml" \
    --wav2lip_config "${root}/conf/train_wav2lip.yaml" \
    --portrait_config "${root}/conf/train_makeittalk_MODEL.yaml" \
    "$@"
