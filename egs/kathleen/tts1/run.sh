#!/usr/bin/env bash
# Kathleen: English, one woman, 38 minutes: the voice that comes with Silvertalk, trained on a processor.
#   egs/kathleen/tts1/run.sh --db_root /where/kathleen/is [options of the root run.sh; --help lists them]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${here}/../../../run.sh" \
    --workdir "${here}" \
    --corpus kathleen \
    --local_data "${here}/local/data.sh" \
    --fs 16000 \
    --n_fft 1024 \
    --hop_length 256 \
    --token_type phn \
    --g2p auto \
    --language en \
    --normalise auto \
    --tts_config "${here}/conf/train_jets.yaml" \
    --tts_pretrain_config "${here}/conf/pretrain_jets_PART.yaml" \
    "$@"
