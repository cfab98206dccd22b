#!/usr/bin/env bash
# GRID: 34 speakers, 1000 sentences each, audio and video.
#   egs/grid/av1/run.sh --db_root /where/grid/is [options of the root run.sh; --help lists them]
# With --download true the corpus is fetched into --db_root from its own site first.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${here}/../../../run.sh" \
    --workdir "${here}" \
    --corpus grid \
    --local_data "${here}/local/data.sh" \
    --grammar "${here}/conf/grid.gram" \
    --say_text "place blue in g nine soon" \
    --token_type phn \
    --g2p auto \
    --language en \
    --tts_config "${here}/conf/train_jets_cpu.yaml" \
    --init_tts "${here}/../../../silvertalk/voices/en_kathleen" \
    --syncnet_config "${here}/conf/train_syncnet_cpu.yaml" \
    --wav2lip_config "${here}/conf/train_wav2lip_cpu.yaml" \
    --portrait_config "${here}/conf/train_makeittalk_MODEL_cpu.yaml" \
    "$@"
