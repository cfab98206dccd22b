#!/usr/bin/env bash
# Sourced by run.sh: the folders' names and what several stages share. Everything here reads run.sh's
# options; common.sh, path.sh and cmd.sh have been sourced.
# shellcheck disable=SC2034,SC2154  # variables are set here for run.sh, and by it for here

sets="tr_no_dev dev eval1"

# is_outside FOLDER: whether FOLDER lies outside this recipe's expdir, so is somebody else's work.
is_outside() {
    local here
    here=$(realpath -m "${expdir}")
    [[ $(realpath -m "$1") != "${here}"/* ]]
}

# name_experiments: what the voice is made of, and the names of all folders.
name_experiments() {
    tts_choose_g2p
    tts_choose_model
    name_folders
    name_portrait_folders
}

# name_folders: every experiment has the folder that docs/ARCHITECTURE.md names; a model folder that was given and lies
# outside expdir is used and never trained or written to.
name_folders() {
    local tag=raw_${token_type}_${cleaner}_${g2p} name
    tts_stats_dir=${tts_stats_dir:-${expdir}/$(tts_stats_name "${tag}")}
    token_list=${dumpdir}/token_list/${token_type}/tokens.txt
    trains_voice=true trains_expert=true trains_face=true
    for name in tts_exp syncnet_exp wav2lip_exp; do
        if [ -n "${!name}" ] && is_outside "${!name}" && [ ! -d "${!name}" ]; then
            [ ! -f "${!name}" ] || die "${!name} is a file; unpack it and give --${name} the experiment folder in it (with config.yaml)"
            die "no folder ${!name}; give --${name} the experiment folder of a finished recipe"
        fi
    done
    if [ -n "${tts_exp}" ] && is_outside "${tts_exp}"; then trains_voice=false; fi
    if [ -n "${syncnet_exp}" ] && is_outside "${syncnet_exp}"; then trains_expert=false; fi
    if [ -n "${wav2lip_exp}" ] && is_outside "${wav2lip_exp}"; then
        trains_face=false
        trains_expert=false
    fi
    tts_exp=${tts_exp:-${expdir}/tts_$(basename "${tts_config}" .yaml)_${tag}}
    syncnet_exp=${syncnet_exp:-${expdir}/syncnet_$(basename "${syncnet_config}" .yaml)}
    wav2lip_exp=${wav2lip_exp:-${expdir}/wav2lip_$(basename "${wav2lip_config}" .yaml)}
    tts_decode_dir=${expdir}/${tts_exp##*/}/decode_$(tts_decode_tag)
}

# has_table NAME: whether the training set has NAME; true as long as there is no training set.
has_table() { [ ! -d "${datadir}/tr_no_dev" ] || [ -s "${datadir}/tr_no_dev/$1" ]; }

# find_modalities: which stages this corpus can have.
find_modalities() {
    has_video=true has_text=true
    if ! has_table video.scp; then
        has_video=false
        log "${corpus} has no video: stages 3, 9 to 15 and the faces of 4 are left out"
    fi
    if ! has_table text; then
        has_text=false
        log "${corpus} has no transcripts: stages 5 to 8 are left out"
    elif [ "${face_input}" = mouth ]; then
        has_text=false
        log "${corpus} serves the expert only: stages 5 to 8 are left out"
    fi
    has_voice=${has_text}
    if [ "${trains_voice}" = false ]; then
        has_voice=true
        log "the voice is ${tts_exp}: stages 5 to 7 are left out"
    fi
    [ "${trains_face}" = true ] || log "the face is ${wav2lip_exp}: stages 9 and 10 are left out"
    choose_talkers
}

# choose_talkers: those of --talkers that this corpus can have, and where stage 16 writes.
choose_talkers() {
    local name
    asked_talkers=()
    for name in ${talkers}; do
        if "${has_video}" && { [ "${name%%=*}" != makeittalk ] || has_portrait; }; then asked_talkers+=("${name}"); fi
    done
    score_dir=${tts_decode_dir}/scores
    [ "${#asked_talkers[@]}" -eq 0 ] || { name_talker "${asked_talkers[0]}" && score_dir=${talker_dir}/scores; }
}

# name_talker NAME[=EXP]: one of --talkers, for stages 15 and 16: its name, experiment, the markers of the stages that
# make it, its options, and the variables that its marker notes. One that is not trained here is known to Python only; its
# folder is expdir/NAME, and it is given EXP.
name_talker() {
    local exp
    talker=${1%%=*} talker_options=(--model "${1%%=*}") talker_reads=() talker_needs=() talker_shape=
    case ${talker} in
        wav2lip)
            exp=${wav2lip_exp} talker_reads=(reads=10:"${wav2lip_exp}/.done") talker_needs=("${wav2lip_exp}/config.yaml" 10)
            talker_options+=(--wav2lip_exp "${wav2lip_exp}")
            ;;
        makeittalk)
            exp=${translation_exp}
            talker_reads=(reads=12:"${content_exp}/.done" reads=13:"${speaker_exp}/.done" reads=14:"${translation_exp}/.done")
            talker_options+=("${portrait_networks[@]}")
            ;;
        *)
            exp=${talker} talker_weights='' talker_shape=talker_weights
            [[ $1 != *=* ]] || { talker_weights=${1#*=} && talker_options+=(--exp "${1#*=}"); }
            ;;
    esac
    talker_exp=${exp}
    talker_dir=${expdir}/${exp##*/}/decode_${decode_tag}
    talker_say_dir=${expdir}/${exp##*/}/say
}

# raw_org SET: stage 2's folder. Test data is not filtered, so it goes to its final place at once.
raw_org() {
    if [ "$1" = eval1 ]; then echo "${dumpdir}/raw/eval1"; else echo "${dumpdir}/raw/org/$1"; fi
}

# show_skipped LIST [WHAT]: say how many utterances a stage left out (or what else), and where they are listed.
show_skipped() {
    local list=$1 what=${2:-utterances left out, listed with reasons}
    [ -s "${list}" ] || return 0
    log "${list%/*}: $(wc -l <"${list}") ${what} in ${list}:"
    sed -n '1,5s/^/    /p' "${list}"
}

# jobs_for TABLE: how many jobs share its entries.
jobs_for() {
    local entries
    entries=$(wc -l <"$1")
    [ "${entries}" -gt 0 ] || die "$1 is empty; run the stage that makes it with a fuller corpus"
    echo $((nj < entries ? nj : entries))
}

# run_sharded WORKER DATA_DIR OUT_DIR [OPTION...]: a dump worker in nj jobs, then the merge.
run_sharded() {
    local worker=$1 data=$2 out=$3 jobs utterances
    shift 3
    jobs=$(jobs_for "${data}/utt2spk") || exit 1
    utterances=$(wc -l <"${data}/utt2spk")
    ${train_cmd} --max-jobs-run "${nj}" --num-threads 1 JOB=1:"${jobs}" "${out}/log/${worker}.JOB.log" \
        "${python}" -m "silvertalk.bin.${worker}" --data_dir "${data}" --out_dir "${out}" \
        --job JOB --num_jobs "${jobs}" "$@"
    ${train_cmd} "${out}/log/combine_parts.log" \
        "${python}" -m silvertalk.bin.combine_parts --dir "${out}" --data_dir "${data}"
    show_skipped "${out}/skipped.tsv"
    log "${out}: $((utterances - $(wc -l <"${out}/skipped.tsv"))) of ${utterances} utterances"
}

# filter_set SET: stage 4 for one set. Test sentences are all spoken, so only their faces are filtered.
filter_set() {
    local set=$1 out
    if [ "${set}" != eval1 ]; then
        out=${dumpdir}/raw/${set}
        ${train_cmd} "${out}/log/audio_filter.log" \
            "${python}" -m silvertalk.bin.audio_filter --org_dir "${dumpdir}/raw/org/${set}" --out_dir "${out}" \
            --fs "${fs}" --min_wav_duration "${min_wav_duration}" --max_wav_duration "${max_wav_duration}" \
            --min_peak="${min_peak}" --max_clipping "${max_clipping}"
        show_skipped "${out}/dropped.tsv"
        show_skipped "${out}/clipped.tsv" "utterances were recorded too loud, listed"
        log "${out}: $(wc -l <"${out}/wav.scp") utterances"
    fi
    if [ "${has_video}" = true ]; then
        run_sharded sync_measure "${dumpdir}/face/org/${set}" "${dumpdir}/face/sync/${set}" \
            --sync_expert "${sync_expert}" --syncnet_v2 "${syncnet_v2}" --device "$(device)"
        out=${dumpdir}/face/${set}
        # shellcheck disable=SC2086  # options are several words
        ${train_cmd} "${out}/log/sync_filter.log" \
            "${python}" -m silvertalk.bin.sync_filter --org_dir "${dumpdir}/face/org/${set}" \
            --sync_dir "${dumpdir}/face/sync/${set}" --out_dir "${out}" --sync_group "${sync_group}" ${sync_filter_args}
        show_skipped "${out}/dropped.tsv"
        log "${out}: $(wc -l <"${out}/video.scp") utterances"
    fi
}

# train_job TASKS LOG COMMAND...: a training on the GPUs of --num_nodes machines, by TASKS processes on each. Elsewhere
# than on Slurm a training starts the processes of its one machine itself.
train_job() {
    local tasks=$1 log_file=$2 nodes=() launcher=()
    shift 2
    if [[ ${cuda_cmd} == *slurm* && $((num_nodes * tasks)) -gt 1 ]]; then
        nodes=(--num-nodes "${num_nodes}")
        launcher=("${SILVERTALK_ROOT}/local/on_nodes.sh" "${tasks}")
    fi
    ${cuda_cmd} --gpu "${ngpu}" "${nodes[@]}" "${log_file}" "${launcher[@]}" "$@"
}

# train_stage N MODEL FROM KEY=VALUE...: a stage that trains one network of the face; FROM is what it learns from, and more
# arguments are stage_begin's.
train_stage() {
    local number=$1 model=$2 from=$3 exp=${2}_exp
    shift 3
    stage_begin "${number}" "${from} -> ${!exp}" marker="${!exp}/.done" "$@" config="${model}_config" \
        options="init_${model} ${model}_train_args" output="${!exp}" || return 0
    train_branch "${model}"
    stage_end
}

# train_branch MODEL: its training, by the options of that name.
train_branch() {
    local model=$1 exp=${1}_exp config=${1}_config init=init_${1} args=${1}_train_args
    local task=makeittalk_$1 data=${portrait_dump} from=() threads=() s='' more=()
    case ${model} in
        syncnet) task=syncnet data=${dumpdir}/face ;;
        wav2lip)
            task=wav2lip data=${dumpdir}/face more=(--syncnet_exp "${syncnet_exp}")
            need "${syncnet_exp}/config.yaml" 9
            ;;
        autovc) data=${dumpdir}/face s=s ;;
    esac
    [ "${data}" = "${portrait_dump}" ] || need "${data}/tr_no_dev/utt2spk" 4
    [ -z "${!init}" ] || from=(--init "${!init}")
    # On a processor the LSTMs' many small steps go four times faster in one thread than in two that wait for each other.
    [[ ! ${model} =~ ^(autovc|content|speaker)$ || ${ngpu} -gt 0 ]] || threads=(env OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}")
    # shellcheck disable=SC2086  # more options are several words
    train_job "$((ngpu > 1 ? ngpu : 1))" "${!exp}/log/train.log" \
        "${threads[@]}" "${python}" -m silvertalk.bin.train "${task}" --config "${!config}" \
        "--train_dir${s}" "${data}/tr_no_dev" "--valid_dir${s}" "${data}/dev" --exp_dir "${!exp}" \
        --trainer.ngpu "${ngpu}" --trainer.num_nodes "${num_nodes}" "${more[@]}" "${from[@]}" ${!args}
}

# device: where networks run that only speak or render.
device() { if [ "${ngpu}" -gt 0 ]; then echo cuda; else echo cpu; fi; }

# decode_videos SET: stage 15 of a talker for one set, three videos of each clip: said by the voice (video), by the
# recording (recorded) and by another clip's recording (control).
decode_videos() {
    local set=$1 out=${talker_dir}/$1 face=${dumpdir}/face/$1 jobs kind voice=()
    need "${face}/utt2spk" 4
    if [ "${has_text}" = true ]; then
        need "${tts_decode_dir}/${set}/wav/wav.scp" 8
        voice=(--wav_scp "${tts_decode_dir}/${set}/wav/wav.scp")
    fi
    jobs=$(jobs_for "${face}/utt2spk") || exit 1
    ${cuda_cmd} --gpu "$((ngpu > 0))" --max-jobs-run "${nj}" --num-threads 1 JOB=1:"${jobs}" "${out}/log/face_decode.JOB.log" \
        "${python}" -m silvertalk.bin.face_decode "${talker_options[@]}" --face_dir "${face}" --out_dir "${out}" "${voice[@]}" \
        --face_backend "${face_backend}" --device "$(device)" --job JOB --num_jobs "${jobs}"
    for kind in video recorded control; do
        [ -d "${out}/${kind}/parts" ] || continue
        ${train_cmd} "${out}/log/combine_${kind}.log" \
            "${python}" -m silvertalk.bin.combine_parts --dir "${out}/${kind}" --data_dir "${face}"
        show_skipped "${out}/${kind}/skipped.tsv"
        list_videos "${out}/${kind}"
        log "${out}/${kind}: $(wc -l <"${out}/${kind}/videos.tsv") videos"
    done
}

# list_videos FOLDER: videos.tsv, the clips with their video, the face's source and the sound's utterance.
list_videos() {
    # The values may hold spaces, so each table's first one becomes a tab.
    local tab=$'\t'
    join -t "${tab}" <(sed "s/ /${tab}/" "$1/video.scp") <(sed "s/ /${tab}/" "$1/face.scp") \
        | join -t "${tab}" - <(sed "s/ /${tab}/" "$1/sound") >"$1/videos.tsv.new"
    mv "$1/videos.tsv.new" "$1/videos.tsv"
}

# say_sentence: the sentence of --say_text (or the first that the voice has said of the test set), said by a talker with
# the first face of the test set.
say_sentence() {
    local out=${talker_say_dir} text=${say_text} face=${say_face} wavs=${tts_decode_dir}/eval1/wav/wav.scp
    if [ -z "${text}" ]; then
        [ -s "${wavs}" ] || die "no sentence to say: give --say_text one in the voice's language"
        text=$(awk 'NR == FNR {wanted = wanted == "" ? $1 : wanted; next}
            $1 == wanted {$1 = ""; print substr($0, 2)}' "${wavs}" "${dumpdir}/raw/eval1/text")
    fi
    if [ -z "${face}" ]; then
        need "${dumpdir}/face/eval1/source_video.scp" 4
        face=$(awk 'NR == 1 {$1 = ""; print substr($0, 2)}' "${dumpdir}/face/eval1/source_video.scp")
    fi
    ${cuda_cmd} --gpu "${ngpu}" "${out}/log/say.log" \
        "${python}" -m silvertalk.bin.silvertalk say --text "${text}" --face "${face}" \
        --tts_exp "${tts_exp}" --out "${out}/say.mp4" \
        --face_backend "${face_backend}" --device "$(device)" "${talker_options[@]}"
    log "${out}/say.mp4 says \"${text}\""
}

# decode_talker: stage 15 of a talker, the videos of the sets.
decode_talker() {
    local set
    stage_begin 15 "${tts_exp}, ${talker_exp} -> ${talker_dir}" marker="${talker_dir}/.done" reads=4:"${filter_marker}" \
        reads=8:"${speech_marker}" "${talker_reads[@]}" options="${talker_shape}" changed=redo output="${talker_dir}" || return 0
    [ "${#talker_needs[@]}" -eq 0 ] || need "${talker_needs[@]}"
    for set in dev eval1; do
        decode_videos "${set}"
    done
    stage_end
}

# say_talker: stage 15 of a talker, one sentence typed by the user; another one is no reason to decode the sets again.
say_talker() {
    stage_begin 15 "\"${say_text:-a test sentence}\" -> ${talker_say_dir}/say.mp4" marker="${talker_say_dir}/.done" \
        reads=7:"${tts_marker}" "${talker_reads[@]}" options="say_text say_face ${talker_shape}" changed=redo \
        output="${talker_say_dir}/say.mp4" || return 0
    say_sentence
    stage_end
}

# score_faces VIDEOS SCORES: stage 16 of the generated faces, the real recordings beside them.
score_faces() {
    local videos=$1 scores=$2 face=${dumpdir}/face/eval1 jobs options=()
    need "${videos}/eval1" 15
    [ ! -f "${syncnet_exp}/config.yaml" ] || options=(--syncnet_exp "${syncnet_exp}")
    [ -z "${syncnet_v2}" ] || options+=(--syncnet_v2 "${syncnet_v2}")
    [ ! -f "${tts_decode_dir}/eval1/wav/wav.scp" ] || options+=(--wav_scp "${tts_decode_dir}/eval1/wav/wav.scp")
    jobs=$(jobs_for "${face}/utt2spk") || exit 1
    ${train_cmd} --max-jobs-run "${nj}" --num-threads 1 JOB=1:"${jobs}" "${scores}/log/score_lips.JOB.log" \
        "${python}" -m silvertalk.bin.score_lips --decode_dir "${videos}/eval1" --face_dir "${face}" \
        --out_dir "${scores}" --face_backend "${face_backend}" "${options[@]}" --job JOB --num_jobs "${jobs}"
}

# score: stage 16 on the test set; the first talker's scores stand beside the voice's.
score() {
    local raw=${dumpdir}/raw/eval1 jobs name options=() others=()
    for name in "${asked_talkers[@]}"; do
        name_talker "${name}"
        score_faces "${talker_dir}" "${talker_dir}/scores"
        [ "${talker_dir}/scores" = "${score_dir}" ] || others+=("${talker}=${talker_dir}/scores")
    done
    [ "${#others[@]}" -eq 0 ] || others=(--talker_score_dirs "${others[@]}")
    if [ "${has_text}" = true ]; then
        need "${tts_decode_dir}/eval1/wav/wav.scp" 8
        options=(--recogniser "${recogniser}" --language "${language}")
        [ -z "${grammar}" ] || options+=(--grammar "${grammar}")
        [ -z "${whisper_model}" ] || options+=(--whisper_model "${whisper_model}")
        jobs=$(jobs_for "${raw}/utt2spk") || exit 1
        ${train_cmd} --max-jobs-run "${nj}" --num-threads 1 JOB=1:"${jobs}" "${score_dir}/log/score_voice.JOB.log" \
            "${python}" -m silvertalk.bin.score_voice --decode_dir "${tts_decode_dir}/eval1" --ref_dir "${raw}" \
            --out_dir "${score_dir}" "${options[@]}" --job JOB --num_jobs "${jobs}"
    fi
    ${train_cmd} "${score_dir}/log/report.log" \
        "${python}" -m silvertalk.bin.report --score_dir "${score_dir}" "${others[@]}" --out RESULTS.md \
        --corpus "${corpus}" --command "$(recipe_command)" --log_dirs "${dumpdir}" "${expdir}"
}

# recipe_command: how a reader repeats this run, without the paths of this machine.
recipe_command() {
    local recipe
    recipe=${local_data#"${SILVERTALK_ROOT}"/}
    recipe=${recipe%/local/*}/run.sh
    if [ "${corpus}" = mini ]; then echo "./run.sh"; else echo "${recipe}${db_root:+ --db_root FOLDER}"; fi
}

# last_words: the end of a whole run says where the result is and how good it is. The first talker comes last.
last_words() {
    local n
    want_stage 16 || return 0
    log "scores and plots: ${PWD}/RESULTS.md"
    [ ! -f "${score_dir}/summary.txt" ] || sed 's/^/    /' "${score_dir}/summary.txt"
    for ((n = ${#asked_talkers[@]} - 1; n >= 0; n--)); do
        name_talker "${asked_talkers[n]}"
        [ ! -f "${talker_say_dir}/say.mp4" ] \
            || log "the talking face (${talker}): $(realpath "${talker_say_dir}/say.mp4") says \"${say_text:-the first test sentence}\""
    done
}
