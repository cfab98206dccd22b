#!/usr/bin/env bash
# Stage 1 of GRID: reads the corpus in db_root (after fetching it, if asked) and writes
# data/{tr_no_dev,dev,eval1}. Clips that cannot be used are listed in data/skipped.tsv.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)

db_root=                    # folder that holds s1, s2, ... and, if there are any, alignments [downloads/grid to download]
out=data                    # folder for the data directories
nj=1                        # clips checked at a time
download=false              # true: fetch what is missing from zenodo.org into db_root, about 0.4 GB a speaker
spk=                        # speakers to take, as s1 or s1,s2,s20 [all]
quality=normal              # normal (360x288) or high (720x576), where there are both
dev_share=0.05              # part of each speaker's clips held out for dev
eval_share=0.075            # part held out for eval1
min_clips=10                # speakers with fewer clips are only trained on

# shellcheck source=local/common.sh
. "${root}/local/common.sh"
parse_options "$@"
if [ -z "${db_root}" ]; then
    [ "${download}" = true ] || die "GRID needs --db_root FOLDER (with s1, s2, ... in it), or --download true"
    db_root=downloads/grid
fi
# shellcheck source=path.sh
. "${root}/path.sh"

"${python}" -m silvertalk.bin.grid_prepare --db_root "${db_root}" --out "${out}" --nj "${nj}" \
    --download "${download}" --spk "${spk}" --quality "${quality}" \
    --dev_share "${dev_share}" --eval_share "${eval_share}" --min_clips "${min_clips}"
