#!/usr/bin/env bash
# LJSpeech: English, one woman, 24 hours, no video. Makes a voice.
#   egs/ljspeech/tts1/run.sh --db_root /where/LJSpeech-1.1/is --ngpu 1 [options of the root run.sh; --help lists them]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "${here}/../../.." && pwd)
# A token is a sound of eSpeak NG. The root's configuration has the corpus' rate, so there is none here.
exec "${root}/run.sh" \
    --workdir "${here}" \
    --corpus ljspeech \
    --local_data "${here}/local/data.sh" \
    --fs 22050 \
    --n_fft 1024 \
    --hop_length 256 \
    --token_type phn \
    --g2p auto \
    --language en \
    --normalise auto \
    --tts_config "${root}/conf/train_jets.yaml" \
    "$@"
