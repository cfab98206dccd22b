#!/usr/bin/env bash
# Sourced by run.sh and its helpers: log, die, option parsing and the rule for finished stages.
# The sourcing script has run `set -euo pipefail` before.

# log MESSAGE...: one line on standard output, with the time and the file and line it speaks of:
# the nearest caller outside this file.
log() {
    local depth=1
    while [ "${BASH_SOURCE[depth]}" = "${BASH_SOURCE[0]}" ] && [ -n "${BASH_SOURCE[depth + 1]:-}" ]; do
        depth=$((depth + 1))
    done
    printf '%s (%s:%s) %s\n' \
        "$(date '+%Y-%m-%dT%H:%M:%S')" "${BASH_SOURCE[depth]##*/}" "${BASH_LINENO[depth - 1]}" "$*"
}

# die MESSAGE...: say what is wrong and what to do next on standard error, and end with code 1.
die() {
    log "error: $*" >&2
    exit 1
}

# ---------------------------------------------------------------------------
# Options. A script declares each one as `name=default  # what it does` in its first column, above
# its call of `parse_options "$@"`. Those lines are the whole list: they give the names, the types
# (from the default: a number, true/false, or text) and the text of --help.
# ---------------------------------------------------------------------------

# (Variables here are called opt_*, so as not to hide an option of the same name.)
declare -A option_default=()   # name -> declared default
declare -A option_given=()     # name -> true when it stood on the command line

# option_names SCRIPT: the declared names, one a line.
option_names() {
    awk '/^parse_options /{exit} /^[a-z][a-z0-9_]*=.*# /{sub(/=.*/, ""); print}' "$1"
}

# print_help SCRIPT: its head comment, the stages, then each option with its comment and its default of now.
print_help() {
    local opt_line opt_name opt_comment opt_width=27
    awk 'NR > 1 && /^#/ {if (!/^# shellcheck/) {sub(/^# ?/, ""); print}; next} NR > 1 {exit}' "$1"
    printf '\nStages:\n'
    print_stages | sed 's/^/  /'
    printf '\nOptions (--name value or --name=value; dashes and underscores are the same):\n'
    while IFS= read -r opt_line; do
        case "${opt_line}" in
            "parse_options "*) break ;;
            "# -- "*) printf '\n%s:\n' "${opt_line#"# -- "}" ;;
            [a-z]*=*"# "*)
                opt_name=${opt_line%%=*}
                opt_comment=${opt_line#*"# "}
                printf "  --%-${opt_width}s %s [%s]\n" "${opt_name}" "${opt_comment}" "${!opt_name}"
                ;;
            " "*"# "*) printf "  %-$((opt_width + 2))s %s\n" "" "${opt_line#*"# "}" ;;
        esac
    done <"$1"
}

# check_value NAME VALUE: VALUE must be of the kind that NAME's default is of.
check_value() {
    local opt_name=$1 opt_value=$2 default=${option_default[$1]}
    if [[ ${default} =~ ^-?[0-9]+$ ]]; then
        [[ ${opt_value} =~ ^-?[0-9]{1,15}$ ]] || die "--${opt_name} takes a whole number, not '${opt_value}'; see --help"
    elif [[ ${default} =~ ^-?[0-9]*\.[0-9]+$ ]]; then
        [[ ${opt_value} =~ ^-?[0-9]*\.?[0-9]+$ ]] || die "--${opt_name} takes a number, not '${opt_value}'; see --help"
    elif [[ ${default} =~ ^(true|false)$ ]]; then
        [[ ${opt_value} =~ ^(true|false)$ ]] || die "--${opt_name} takes true or false, not '${opt_value}'; see --help"
    fi
}

# parse_options "$@": sets the variables of the calling script; --help prints and ends.
parse_options() {
    local opt_script=${BASH_SOURCE[1]} opt_names opt_name opt_value
    opt_names=$(option_names "${opt_script}")
    for opt_name in ${opt_names}; do
        option_default[${opt_name}]=${!opt_name}
    done
    while [ $# -gt 0 ]; do
        case "$1" in
            -h | --help) print_help "${opt_script}"; exit 0 ;;
            --?*) ;;
            *) die "'$1' is not an option; options are written --name value, see ${opt_script##*/} --help" ;;
        esac
        opt_name=${1#--}
        opt_name=${opt_name%%=*}
        opt_name=${opt_name//-/_}
        grep -qxF -- "${opt_name}" <<<"${opt_names}" \
            || die "unknown option --${opt_name}$(similar_option "${opt_name}" "${opt_names}"); ${opt_script##*/} --help lists all"
        if [[ $1 == *=* ]]; then
            opt_value=${1#*=}
        elif [[ ${option_default[${opt_name}]} =~ ^(true|false)$ && ( $# -eq 1 || ${2:-} == --* ) ]]; then
            opt_value=true   # a bare --download is meant as yes
        else
            [ $# -ge 2 ] || die "--${opt_name} needs a value; see ${opt_script##*/} --help"
            opt_value=$2
            shift
        fi
        shift
        if [[ ${opt_name} =~ ^(stop_)?stage$ ]]; then
            [ "${opt_value}" != list ] || { print_stages; exit 0; }
            opt_value=$(stage_of "${opt_name}" "${opt_value}") || exit 1
        fi
        check_value "${opt_name}" "${opt_value}"
        printf -v "${opt_name}" '%s' "${opt_value}"
        option_given[${opt_name}]=true
    done
}

# changed_options NAME...: " NAME" of each option that is not at its default, for stage_begin's options=: an option that
# came later leaves what was made without it as it is.
changed_options() {
    local opt_name
    for opt_name in "$@"; do
        [ "${!opt_name}" = "${option_default[${opt_name}]}" ] || printf ' %s' "${opt_name}"
    done
}

# similar_option NAME NAMES: ", did you mean --x?" when a declared name shares a part of NAME.
similar_option() {
    local part match
    for part in "$1" ${1//_/ }; do
        [ "${#part}" -ge 3 ] || continue
        match=$(grep -m 1 -F -- "${part}" <<<"$2") || continue
        printf ', did you mean --%s?' "${match}"
        return 0
    done
}

# absolute_paths NAME...: a relative path that stood on the command line is meant from where the
# user is, so it is made absolute before the script goes to its working directory.
absolute_paths() {
    local opt_name
    for opt_name in "$@"; do
        [ "${option_given[${opt_name}]:-}" = true ] || continue
        case "${!opt_name}" in
            "" | /*) ;;
            *) printf -v "${opt_name}" '%s' "${PWD}/${!opt_name}" ;;
        esac
    done
}

# ---------------------------------------------------------------------------
# The stages' numbers and names stand in stages.txt beside this file.
# ---------------------------------------------------------------------------

# print_stages: number, name and title of each.
print_stages() { grep -v '^#' "${BASH_SOURCE[0]%/*}/stages.txt"; }

# stage_of OPTION VALUE: the number of a stage that was given by number or name.
stage_of() {
    local number
    if [[ $2 =~ ^-?[0-9]+$ ]]; then echo "$2" && return 0; fi
    number=$(print_stages | awk -v name="${2//-/_}" '$2 == name {print $1}')
    [ -n "${number}" ] || die "--$1 takes a stage's number or name, not '$2'; there are: $(print_stages | awk '{printf "%s%s %s", sep, $1, $2; sep = ", "}')"
    echo "${number}"
}

# stage_called N: "9 (syncnet)", for messages.
stage_called() { print_stages | awk -v n="$1" '$1 == n {name = " (" $2 ")"} END {print n name}'; }

# ---------------------------------------------------------------------------
# Finished stages. A stage is written
#     if stage_begin 2 "data/ -> dump/raw" marker=dump/raw/org/.done reads=1:data/.done \
#             options="fs audio_format" output=dump/raw/org output=dump/raw/eval1; then
#         ...
#         stage_end
#     fi
# The marker holds what the stage was made from: the values of its options, hashes of its config
# files, hashes of the markers of the stages it reads. Until stage_end the same text stands in
# `.started` beside it (and is locked), so work that was killed is not continued with other options.
#   marker=FILE      made last; a stage with an equal marker is not done again
#   reads=N:FILE     marker of stage N, whose output this stage reads
#   options="a b"    names of variables whose values shape the output
#   config=NAME      name of a variable that holds a YAML file's path
#   output=PATH      file or folder that --overwrite true removes
#   changed=redo     when options changed, do it again without being asked (cheap stages only)
# A line `made=` makes the marker of a repeated stage another one, so its readers notice.
# ---------------------------------------------------------------------------

# The sourcing script sets these, mostly as options.
: "${stage=1}" "${stop_stage=99}" "${overwrite=false}" "${continue_changed=false}"

stage_number=         # the stage at work; empty between stages
stage_marker=
stage_outputs=()
min_free_mb=300       # a stage does not start with less free disk

hash_of() { sha256sum <"$1" | cut -c 1-16; }

# marker_option MARKER NAME: the value that a finished stage had for an option (empty if none).
marker_option() {
    [ ! -f "$1" ] || sed -n "s/^$2=//p" "$1"
}

# stage_text ARG...: the marker's text for the key=value arguments of stage_begin.
stage_text() {
    local arg opt_name file number
    for arg in "$@"; do
        case "${arg}" in
            options=*)
                for opt_name in ${arg#options=}; do
                    printf '%s=%s\n' "${opt_name}" "${!opt_name//$'\n'/ }"
                done
                ;;
            config=*)
                opt_name=${arg#config=}
                [ -f "${!opt_name}" ] || die "no ${!opt_name}; give --${opt_name} an existing YAML file"
                printf '%s=%s %s\n' "${opt_name}" "${!opt_name##*/}" "$(hash_of "${!opt_name}")"
                ;;
            reads=*)
                number=${arg#reads=}
                number=${number%%:*}
                file=${arg#reads=*:}
                if [ -f "${file}" ]; then
                    printf 'output of stage %s=%s\n' "${number}" "$(hash_of "${file}")"
                elif [ -s "${file%.done}.started" ]; then
                    die "stage $(stage_called "${number}") was started but not finished in ${file%/*}; run stage ${number} first"
                else
                    printf 'output of stage %s=not made by it\n' "${number}"
                fi
                ;;
        esac
    done
}

# marker_text FILE: what a marker says, without the time.
marker_text() { grep -v '^made=' "$1" || true; }

# changes OLD NEW: the lines of two marker texts that differ, as `fs: 16000 -> 22050; ...`.
changes() {
    awk -F= '{key = $1; value = substr($0, length(key) + 2)}
        NR == FNR {old[key] = value; next}
        {seen[key] = 1; if (!(key in old)) print key ": (none) -> " value
         else if (old[key] != value) print key ": " old[key] " -> " value}
        END {for (key in old) if (!(key in seen)) print key ": " old[key] " -> (none)"}' \
        <(printf '%s\n' "$1") <(printf '%s\n' "$2") | paste -s -d ';' | sed 's/;/; /g'
}

# has_work PATH...: whether any of them holds more than logs and our own marker.
has_work() {
    local path
    for path in "$@"; do
        [ -e "${path}" ] || continue
        [ -z "$(find "${path}" -type f ! -path '*/log/*' ! -name .started ! -name .done -print -quit)" ] || return 0
    done
    return 1
}

# want_stage N: whether N lies in the asked range.
want_stage() { [ "${stage}" -le "$1" ] && [ "${stop_stage}" -ge "$1" ]; }

# stage_begin N TITLE KEY=VALUE...: succeeds when the stage has to be worked on now.
stage_begin() {
    local number=$1 title=$2 text old='' goes_on=false redo=${overwrite} started
    want_stage "${number}" || return 1
    shift 2
    stage_targets "$@"
    text=$(stage_text "$@") || exit 1
    started=${stage_marker%.done}.started
    if [ -f "${stage_marker}" ] && [ "${redo}" = false ] && [ "$(marker_text "${stage_marker}")" = "${text}" ]; then
        log "Stage ${number}: ${title}: already done"
        return 1
    fi
    lock_stage "${number}" "${started}"
    # The marker may have been made while we waited for the lock.
    compare_marker "${stage_marker}" "$@" || { rm -f "${started}"; exec 9>&-; return 1; }
    compare_marker "${started}" "$@" || goes_on=true
    if [ -z "${old}" ] && [ "${continue_changed}" = false ] && has_work "${stage_outputs[@]}"; then
        die "stage $(stage_called "${number}") would write over ${stage_outputs[*]}, which this recipe has not made:" \
            "move it away, start after stage ${number}, or add --continue_changed true"
    fi
    [ "${redo}" = false ] || remove_outputs "${number}"
    if [ "${goes_on}" = false ]; then
        printf '%s\n' "${text}" "made=$(date '+%Y-%m-%dT%H:%M:%S.%N')" >"${started}" \
            || die "cannot write ${started}; free disk space or choose another --workdir"
    fi
    rm -f "${stage_marker}"
    stage_number=${number}
    stage_seconds=${SECONDS}
    log "Stage ${number}: ${title}"
}

# stage_targets KEY=VALUE...: sets stage_marker and stage_outputs from stage_begin's arguments.
stage_targets() {
    local arg
    stage_outputs=()
    for arg in "$@"; do
        case "${arg}" in
            marker=*) stage_marker=${arg#marker=} ;;
            output=*) stage_outputs+=("${arg#output=}") ;;
        esac
    done
}

# compare_marker FILE KEY=VALUE...: fails when FILE says what the stage is to be made from now. Else stage_begin's `old`
# is what it says (if it is there), and `redo` whether the stage is done again from the start.
# shellcheck disable=SC2154  # number and text are stage_begin's
compare_marker() {
    local file=$1
    shift
    [ -s "${file}" ] || return 0
    old=$(marker_text "${file}")
    [ "${redo}" = false ] || return 0
    [ "${old}" != "${text}" ] || return 1
    if [[ " $* " == *" changed=redo "* ]]; then
        log "Stage ${number}: its input or options changed ($(changes "${old}" "${text}"))"
        redo=true
    elif [ "${continue_changed}" = true ]; then
        log "Stage ${number}: goes on with other options ($(changes "${old}" "${text}"))"
    elif has_work "${stage_outputs[@]}"; then
        die "stage $(stage_called "${number}") was made with other options ($(changes "${old}" "${text}")):" \
            "run again with --stage ${number} --overwrite true to remove its output and do it again," \
            "with --continue_changed true to go on with what is there, or with the old options"
    fi
}

# lock_stage N FILE: makes FILE and holds a lock on it (file descriptor 9, which the jobs inherit),
# so that jobs left over from a killed run and a new run never write the same output.
lock_stage() {
    local folder=${2%/*} message free
    message=$(mkdir -p "${folder}" 2>&1) \
        || die "cannot make ${PWD}/${folder#"${PWD}"/} (${message}); choose another --workdir"
    free=$(df -Pm "${folder}" | awk 'NR == 2 {print $4}')
    if [ "${free}" -lt "${min_free_mb}" ]; then
        rmdir "${folder}" 2>/dev/null || true
        die "only ${free} MB free for ${folder}; free at least ${min_free_mb} MB or choose another --workdir"
    fi
    message=$(touch "$2" 2>&1) \
        || die "cannot write in ${PWD}/${folder#"${PWD}"/} (${message}); choose another --workdir"
    exec 9>>"$2"
    flock -n 9 && return 0
    log "Stage $1: waits for jobs of an earlier run that still work in ${folder}"
    flock -w 60 9 || die "another run works in ${folder}; wait for it or end its processes ($(fuser "$2" 2>/dev/null || true))"
    # What was locked may have been renamed to .done meanwhile.
    [ -f "$2" ] || { exec 9>&-; lock_stage "$1" "$2"; }
}

# remove_outputs N: for --overwrite true; stage_begin has seen that a marker shows them to be ours.
remove_outputs() {
    local path
    has_work "${stage_outputs[@]}" || return 0
    for path in "${stage_outputs[@]}"; do
        log "Stage $1: removes ${path}"
        # Not the marker files: the lock is on one of them.
        if [ -d "${path}" ]; then
            find "${path}" -mindepth 1 -maxdepth 1 ! -name .done ! -name .started -exec rm -rf {} +
        else
            rm -f "${path}"
        fi || die "cannot remove ${path}; check its owner"
    done
}

# stage_end: the last line of a stage's block; the marker appears in one step.
stage_end() {
    mv -f "${stage_marker%.done}.started" "${stage_marker}"
    exec 9>&-
    log "Stage ${stage_number}: finished in $((SECONDS - stage_seconds)) s"
    stage_number=
}

# report_failure CODE: for `trap 'report_failure $?' EXIT` in run.sh.
report_failure() {
    [ "$1" -eq 0 ] || [ -z "${stage_number}" ] && return 0
    log "Stage ${stage_number}: failed. The same command goes on where it stopped, once the cause above is mended." >&2
}

# need FILE N: an input that stage N makes.
need() {
    [ -e "$1" ] || die "no $1; run stage $(stage_called "$2")"
}
