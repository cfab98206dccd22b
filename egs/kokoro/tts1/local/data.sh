#!/usr/bin/env bash
# Stage 1 of the teacher's corpus: speaks what has not been spoken yet, keeps what a recogniser writes down right,
# and writes data/{tr_no_dev,dev,eval1}. Several machines or jobs may speak at once: see README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root=$(cd "${here}/../../.." && pwd)

db_root=                    # folder of the corpus [downloads/kokoro/ko]
out=data                    # folder for the data directories
nj=1                        # processes, for reading
download=false              # here for all recipes; this corpus is made, not downloaded
speak=true                  # false: take what has been spoken so far
conf=${here}/conf/ko.yaml   # who speaks, how fast, and what is kept
texts=${here}/texts/ko.txt  # what is said, a sentence a line
teacher_dir=                # folder with kokoro-js-1.2.1.tgz (npm pack kokoro-js@1.2.1), for voices other than Japanese

# shellcheck source=local/common.sh
. "${root}/local/common.sh"
parse_options "$@"
# shellcheck source=path.sh
. "${root}/path.sh"

[ "${download}" = false ] || log "this corpus is spoken here; nothing is downloaded"
db_root=${db_root:-downloads/kokoro/$(basename "${conf}" .yaml)}
only_combine=true
[ "${speak}" = false ] || only_combine=false
"${python}" -m silvertalk.bin.teacher_speak --config "${conf}" --texts "${texts}" --out "${db_root}" \
    ${teacher_dir:+--teacher_dir "${teacher_dir}"} --only_combine "${only_combine}"
exec "${root}/local/corpus.sh" custom --db_root "${db_root}" --out "${out}" --nj "${nj}"
