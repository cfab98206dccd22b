#!/usr/bin/env bash
# AI Hub 98: Korean call-centre dialogues, text only. Writes data/{tr_no_dev,dev,eval1}/{dialogues.jsonl,text}.
#   egs/aihub98/text1/run.sh --db_root /where/aihub98/is [--help lists the options]
# There is no sound and no picture, so there is this one stage and no other.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "${here}/../../.." && pwd)
"${root}/tools/setup_env.sh"
# shellcheck source=path.sh
. "${root}/path.sh"
exec "${python}" -m silvertalk.bin.aihub98_prepare --out "${here}/data" "$@"
