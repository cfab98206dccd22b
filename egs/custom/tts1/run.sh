#!/usr/bin/env bash
# Your own voice: a folder of recordings and transcripts.txt, lines of file|text.
#   egs/custom/tts1/run.sh --db_root /where/they/are [options of the root run.sh; --help lists them]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "${here}/../../.." && pwd)
# Up to an hour of one person, on a processor: the size of the voice of the package, whose halves learn the new one
# apart. The language is told by the letters of the transcripts; --language names another.
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus custom \
    --local_data "${here}/local/data.sh" \
    --fs 16000 \
    --n_fft 1024 \
    --hop_length 256 \
    --level -23 \
    --token_type phn \
    --g2p auto \
    --language auto \
    --normalise auto \
    --tts_config "${root}/egs/kathleen/tts1/conf/train_jets.yaml" \
    --tts_pretrain_config "${here}/conf/pretrain_jets_PART.yaml" \
    --init_tts "${root}/silvertalk/voices/en_kathleen" \
    "$@"
