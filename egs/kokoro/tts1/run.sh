#!/usr/bin/env bash
# Kokoro as a teacher: a large voice speaks our texts in stage 1, for a small one to learn from.
#   egs/kokoro/tts1/run.sh --db_root /where/it/goes --language ko --local_data_opts "--teacher_dir FOLDER"
#   [options of the root run.sh; --help lists them]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${here}/../../../run.sh" \
    --workdir "${here}" \
    --corpus kokoro \
    --local_data "${here}/local/data.sh" \
    --fs 24000 \
    --n_fft 1024 \
    --hop_length 256 \
    --token_type phn \
    --g2p auto \
    --language ko \
    --normalise auto \
    "$@"
