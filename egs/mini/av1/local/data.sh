#!/usr/bin/env bash
# Stage 1 of the mini corpus: speaks the sentences, moves the photograph, writes data/{tr_no_dev,dev,eval1}.
# Clips that are there already are kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "${here}/../../../.." && pwd)

db_root=                    # folder for the clips [downloads/mini]
out=data                    # folder for the data directories
nj=1                        # processes
download=false              # here for all recipes; this corpus needs no download
sentences=${here}/sentences.txt  # lines "<set> <utt_id> <text>"
max_utterances=0            # make only the first ones, 0 for all
av_offset_frames=0          # make the picture this many frames late, for tests

# shellcheck source=local/common.sh
. "${root}/local/common.sh"
parse_options "$@"
# shellcheck source=path.sh
. "${root}/path.sh"

[ "${download}" = false ] || log "the mini corpus is made here; nothing is downloaded"
"${python}" "${here}/make_corpus.py" --db_root "${db_root:-downloads/mini}" --data_dir "${out}" --nj "${nj}" \
    --sentences "${sentences}" --max_utterances "${max_utterances}" --av_offset_frames "${av_offset_frames}"
