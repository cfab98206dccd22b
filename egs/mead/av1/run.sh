#!/usr/bin/env bash
# MEAD: 48 actors who speak with eight emotions at three levels, filmed from seven sides, no transcripts.
#   egs/mead/av1/run.sh --db_root /where/mead/is --ngpu 1 [options of the root run.sh; --help lists them]
# With --tts_exp /a/voice of another recipe the trained face also speaks a sentence.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here}/../../..
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus mead \
    --local_data "${here}/local/data.sh" \
    --syncnet_config "${root}/conf/train_syncnet.yaml" \
    --wav2lip_config "${root}/conf/train_wav2lip.yaml" \
    --portrait_config "${root}/conf/train_makeittalk_MODEL.yaml" \
    "$@"
