#!/usr/bin/env bash
# KSS: Korean, one voice actress, 12 hours, no video. Makes a voice.
#   egs/kss/tts1/run.sh --db_root /where/kss/is --ngpu 1 [options of the root run.sh; --help lists them]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# A token is a sound by g2pk where that is installed, else a letter (jamo) of a syllable.
exec "${here}/../../../run.sh" \
    --workdir "${here}" \
    --corpus kss \
    --local_data "${here}/local/data.sh" \
    --fs 24000 \
    --n_fft 1024 \
    --hop_length 256 \
    --token_type phn \
    --g2p auto \
    --language ko \
    --normalise auto \
    --tts_config "${here}/conf/train_jets.yaml" \
    --say_text "안녕하세요" \
    "$@"
