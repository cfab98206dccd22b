#!/usr/bin/env bash
# Sourced by run.sh: stages 5-8, the voice. ESPnet's own programs do the work (tasks tts and gan_tts). What they are told,
# and of which utterances, tts_prepare works out (silvertalk/tts/training/{prepare,arguments}.py); here jobs are started.
# Functions read: python train_cmd cuda_cmd dumpdir expdir fs n_fft hop_length nj ngpu num_nodes token_type
# srctexts use_sid use_lid use_spk_embed trains_voice cleaner g2p language normalise tts_config tts_task
# tts_train_args tts_spk token_list tts_stats_dir tts_exp
# teacher_exp init_tts tts_pretrain_config decode_tag decode_sets tts_decode_args tts_decode_dir use_teacher_forcing vocoder_file.
# tts_choose_model sets tts_model, tts_task, tts_features and decode_tag.
# The sourcing script has run `set -euo pipefail` and sourced common.sh and stages.sh.
# shellcheck disable=SC2154  # those variables are set by run.sh

# Large blocks stay with the process instead of going back to the kernel after every operation, and
# come in large pages: a tenth less time per iteration on a CPU. Waiting threads sleep, so that
# other jobs on the machine do not slow the training tenfold.
tts_malloc=glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=8589934592
tts_malloc+=:glibc.malloc.top_pad=268435456:glibc.malloc.hugetlb=1

# tts_choose_model: the model, ESPnet's task and what they need, from the training YAML, or from a voice that is used
# as it is.
tts_choose_model() {
    local config=${tts_config} task checkpoint
    if [ -n "${tts_exp}" ] && is_outside "${tts_exp}" && [ -d "${tts_exp}" ]; then config=${tts_exp}/config.yaml; fi
    [ -f "${config}" ] || die "no ${config}; give --tts_config a training YAML, or --tts_exp the folder of a trained voice"
    tts_model=$(tts_model_of "${config}")
    case ${tts_model} in
        jets | vits | joint_text2wav) task=gan_tts checkpoint=train.total_count.ave ;;
        tacotron2 | fastspeech2 | transformer | fastspeech | prodiff) task=tts checkpoint=train.loss.ave ;;
        *) die "${config} has tts: '${tts_model}', which is no model of ESPnet's tts or gan_tts; take jets, vits, tacotron2 or fastspeech2" ;;
    esac
    [[ ${tts_task:-auto} =~ ^(auto|${task})$ ]] \
        || die "--tts_task ${tts_task} does not fit ${config}: tts: ${tts_model} is trained by ${task}; leave --tts_task out"
    tts_task=${task}
    decode_tag=${decode_tag:-${checkpoint}}
    tts_features="fbank pitch energy"
    if [ "${config}" = "${tts_config}" ]; then tts_check_options; fi
    tts_check_vocoder
}

# tts_model_of YAML: its model.
tts_model_of() { sed -n "s/^tts: *['\"]\{0,1\}\([A-Za-z0-9_]*\).*/\1/p" "$1" | head -n 1; }

# tts_check_options: the features of the model that is to be trained, and options that only some models have.
tts_check_options() {
    case ${tts_model} in
        jets | tacotron2) ;;   # Tacotron 2 needs no pitch or energy, but shares stage 6 with JETS
        vits) tts_features="linear_spectrogram" ;;
        fastspeech2) tts_features="fbank durations pitch energy" ;;
        *) die "${tts_config}: tts: ${tts_model} can be used (--tts_exp), not trained here; take jets, vits, tacotron2 or fastspeech2" ;;
    esac
    [ -z "${tts_pretrain_config}" ] || tts_check_pretrain
    if [ "${tts_model}" = fastspeech2 ]; then
        [ -n "${teacher_exp}" ] || die "FastSpeech 2 learns durations from a trained voice: add --teacher_exp with the folder of a" \
            "Tacotron 2 or JETS that stage 7 made (with the same tokens, --fs and --hop_length)"
        [ -f "${teacher_exp}/config.yaml" ] || die "no ${teacher_exp}/config.yaml; give --teacher_exp the folder of a trained voice"
    else
        [ -z "${teacher_exp}" ] || die "--teacher_exp is for FastSpeech 2; ${tts_model} finds the durations itself: leave it out"
    fi
}

# tts_check_pretrain: what the training of the halves needs.
tts_check_pretrain() {
    local part
    [ "${tts_model}" = jets ] || die "--tts_pretrain_config trains the halves of JETS; ${tts_config} is ${tts_model}: leave it out"
    for part in mel vocoder; do
        [ -f "${tts_pretrain_config//PART/${part}}" ] || die "no ${tts_pretrain_config//PART/${part}}; see --tts_pretrain_config"
    done
}

# tts_check_vocoder: options of stage 8 that only models of spectrograms have.
tts_check_vocoder() {
    if [ "${tts_task}" = gan_tts ]; then
        [ -z "${vocoder_file}" ] || die "--vocoder_file is for models of spectrograms; ${tts_model} makes sound itself: leave it out"
        [ "${use_teacher_forcing}" = false ] || die "--use_teacher_forcing true is for models of spectrograms, not for ${tts_model}"
    elif [ -n "${vocoder_file}" ]; then
        [[ ${vocoder_file} == *.pkl ]] || die "${vocoder_file}: ESPnet knows a vocoder of ParallelWaveGAN by its suffix .pkl"
        [ -f "${vocoder_file}" ] || die "no ${vocoder_file}; give --vocoder_file a checkpoint of ParallelWaveGAN"
        [ -f "${vocoder_file%/*}/config.yml" ] || die "no ${vocoder_file%/*}/config.yml, which belongs to ${vocoder_file}"
        "${python}" -c 'import parallel_wavegan' 2>/dev/null \
            || die "--vocoder_file needs the package parallel_wavegan, which is not installed: install it, or leave" \
                "--vocoder_file out for Griffin-Lim"
    fi
}

# tts_stats_name TAG: the folder of stage 6; models with the same features share one.
tts_stats_name() {
    case ${tts_features} in
        linear*) echo "tts_stats_raw_linear_spectrogram_${1#raw_}" ;;
        *durations*) echo "tts_stats_${1}_durations" ;;
        *) echo "tts_stats_$1" ;;
    esac
}

# tts_decode_tag: the name of stage 8's folder after decode_.
tts_decode_tag() {
    if [ "${use_teacher_forcing}" = true ]; then echo "use_teacher_forcingtrue_${decode_tag}"; else echo "${decode_tag}"; fi
}

# tts_asks_transcripts: whether the converter depends on a language that only the transcripts tell.
tts_asks_transcripts() { [ "${g2p}" = auto ] && [ "${language}" = auto ]; }

# tts_choose_g2p: "auto" becomes the converter of the language; one that cannot run here, or such a cleaner, ends the run.
tts_choose_g2p() {
    local choice asked=()
    [[ ${g2p}${cleaner} != nonenone ]] || return 0
    if tts_asks_transcripts; then
        has_table text || { g2p=none && return 0; }   # then there is no voice to train
        need "${datadir}/tr_no_dev/text" 1
        asked=(--text "${datadir}/tr_no_dev/text")
    fi
    choice=$("${python}" -m silvertalk.bin.tts_g2p --language "${language}" --g2p "${g2p}" --cleaner "${cleaner}" "${asked[@]}") \
        || die "choose another --language, --g2p or --cleaner, or install what it needs"
    read -r language g2p <<<"${choice}"
    [ "${g2p}" != espeak ] || [ "${token_type}" = phn ] || die "--g2p espeak writes sounds: add --token_type phn"
}

# tts_espnet_g2p: what ESPnet is told; the phonemes of our own espeak are in the text already.
tts_espnet_g2p() { if [ "${g2p}" = espeak ]; then echo none; else echo "${g2p}"; fi; }

# tts_is_spoken: whether the transcripts are rewritten before ESPnet reads them.
tts_is_spoken() { [ "${normalise}" != none ] || [ "${g2p}" = espeak ]; }

# tts_set_text SET: the text of a set that ESPnet reads.
tts_set_text() { if tts_is_spoken; then echo "${token_list%/*}/text/$1"; else echo "${dumpdir}/raw/$1/text"; fi; }

# tts_takes_embeddings: whether the voice is given speaker embeddings.
tts_takes_embeddings() {
    if [ "${trains_voice}" = true ]; then
        [ "${use_spk_embed}" = true ]
    else
        tts_has_embeddings "${tts_exp}"
    fi
}

# tts_has_embeddings EXP: whether a trained voice is given speaker embeddings.
tts_has_embeddings() { grep -q '^ *spk_embed_dim: *[1-9]' "$1/config.yaml"; }

# Stage 5, its second part: dump/raw -> dump/spk_embed/<set>: embed.scp has every utterance's own embedding, for the
# training; utt2spk_embed.scp has its speaker's, with which it is spoken.
tts_embed_speakers() {
    local set out
    for set in ${sets}; do
        out=${dumpdir}/spk_embed/${set}
        need "${dumpdir}/raw/${set}/wav.scp" 4
        run_sharded speaker_embed "${dumpdir}/raw/${set}" "${out}"
        ${train_cmd} "${out}/log/speaker_average.log" \
            "${python}" -m silvertalk.bin.speaker_average --data_dir "${dumpdir}/raw/${set}" --out_dir "${out}"
    done
}

# tts_speak_text TEXT OUT: the transcripts of TEXT as they are spoken -> OUT, and what is not in OUT.unknown.tsv.
tts_speak_text() {
    mkdir -p "${2%/*}"
    # shellcheck disable=SC2086  # the command is several words
    ${train_cmd} "$2.log" "${python}" -m silvertalk.bin.tts_text --text "$1" --out "$2" --unknown "$2.unknown.tsv" \
        --language "${language}" --normalise "${normalise}" --g2p "${g2p}"
    show_skipped "$2.unknown.tsv" "characters are not spoken, listed"
}

# tts_prepare STEP LOG OPTION...: what stage 6 (stats), 7 (train) or 8 (decode) needs before its jobs, and their arguments.
tts_prepare() {
    local step=$1 log_file=$2
    shift 2
    ${train_cmd} "${log_file}" "${python}" -m silvertalk.bin.tts_prepare "${step}" \
        --voice.train_config "${tts_config}" --voice.train_args="${tts_train_args}" --voice.stats_dir "${tts_stats_dir}" \
        --voice.dumpdir "${dumpdir}" --voice.token_list "${token_list}" --voice.token_type "${token_type}" \
        --voice.cleaner "${cleaner}" --voice.g2p "${g2p}" --voice.language "${language}" --voice.normalise "${normalise}" \
        --voice.fs "${fs}" --voice.n_fft "${n_fft}" --voice.hop_length "${hop_length}" \
        --voice.use_sid "${use_sid}" --voice.use_lid "${use_lid}" --voice.use_spk_embed "${use_spk_embed}" "$@"
}

# Stage 5: dump/raw/tr_no_dev/text -> dump/raw/srctexts -> the token list. Only the training set
# gives tokens, unless --srctexts adds more: a character that the model never heard has an untrained embedding.
tts_token_list() {
    local text texts=() all=${dumpdir}/raw/srctexts made=${token_list%.txt}.new.txt set
    need "${dumpdir}/raw/tr_no_dev/text" 4
    if tts_is_spoken; then
        for set in tr_no_dev dev; do
            tts_speak_text "${dumpdir}/raw/${set}/text" "$(tts_set_text "${set}")"
        done
    fi
    texts=("$(tts_set_text tr_no_dev)")
    for text in ${srctexts}; do
        [ -f "${text}" ] || die "no ${text}; give --srctexts text files of Kaldi's form (utterance id, text)"
        if tts_is_spoken; then
            texts+=("${token_list%/*}/text/srctexts.${#texts[@]}")
            tts_speak_text "${text}" "${texts[-1]}"
        else
            texts+=("${text}")
        fi
    done
    mkdir -p "${token_list%/*}"
    awk 1 "${texts[@]}" >"${all}.new" && mv "${all}.new" "${all}"
    # "<unk>" keeps ESPnet's readers content; text with unknown characters never gets that far.
    # shellcheck disable=SC2086
    ${train_cmd} "${token_list%.txt}.log" \
        "${python}" -m espnet2.bin.tokenize_text --token_type "${token_type}" -f 2- \
        --input "${all}" --output "${made}" --non_linguistic_symbols none \
        --cleaner "${cleaner}" --g2p "$(tts_espnet_g2p)" --write_vocabulary true \
        --add_symbol "<blank>:0" --add_symbol "<unk>:1" --add_symbol "<sos/eos>:-1"
    mv "${made}" "${token_list}"
    log "${token_list}: $(wc -l <"${token_list}") tokens from $(wc -l <"${all}") transcripts"
}

# Stage 6: shapes, mean and variance, pitch and energy of every utterance -> tts_stats_dir.
tts_stats() {
    local logdir=${tts_stats_dir}/logdir jobs n part inputs=() arguments=()
    need "${token_list}" 5
    need "${dumpdir}/raw/tr_no_dev/wav.scp" 4
    need "${dumpdir}/raw/dev/wav.scp" 4
    rm -rf "${logdir}"   # shapes of an earlier, killed attempt must not be mixed in
    rm -f "${tts_stats_dir}"/{spk2sid,lang2lid} "${tts_stats_dir}"/{train,valid}/utt2{sid,lid}
    tts_prepare stats "${logdir}/prepare.log" --nj "${nj}" --spk "${tts_spk:-}" --teacher_exp "${teacher_exp}"
    for part in train valid; do
        show_skipped "${tts_stats_dir}/skipped.${part}.tsv"
    done
    jobs=$(<"${logdir}/jobs")
    if [ -n "${teacher_exp}" ]; then tts_durations "${jobs}"; fi
    mapfile -t arguments <"${logdir}/arguments"
    ${train_cmd} --num-threads 1 JOB=1:"${jobs}" "${logdir}/stats.JOB.log" \
        "${python}" -m "espnet2.bin.${tts_task}_train" "${arguments[@]}"
    for n in $(seq "${jobs}"); do
        inputs+=(--input_dir "${logdir}/stats.${n}")
    done
    ${train_cmd} "${logdir}/aggregate.log" \
        "${python}" -m espnet2.bin.aggregate_stats_dirs "${inputs[@]}" --output_dir "${tts_stats_dir}"
    # ESPnet's batch maker wants "length,vocabulary" for text.
    for part in train valid; do
        awk -v size="$(wc -l <"${token_list}")" '{print $0 "," size}' \
            "${tts_stats_dir}/${part}/text_shape" >"${tts_stats_dir}/${part}/text_shape.${token_type}"
    done
}

# tts_durations JOBS: frames of each token, which the teacher hears in the recordings.
tts_durations() {
    local jobs=$1 logdir=${tts_stats_dir}/logdir part n arguments=()
    for part in train valid; do
        mkdir -p "${tts_stats_dir}/${part}"
        mapfile -t arguments <"${logdir}/durations.${part}.arguments"
        ${train_cmd} --num-threads 1 JOB=1:"${jobs}" "${logdir}/durations.${part}.JOB.log" \
            "${python}" -m silvertalk.bin.tts_align "${arguments[@]}"
        for n in $(seq "${jobs}"); do
            cat "${logdir}/durations.${part}.${n}"
        done | LC_ALL=C sort -k1,1 >"${tts_stats_dir}/${part}/durations"
    done
}

# tts_init: the model that is to be trained -> tts_exp/log/init/config.yaml, and --init_tts as weights of this model and
# these tokens -> tts_exp/init.pth.
tts_init() {
    local init=()
    [ -z "${init_tts}" ] || init=(--init "${init_tts}" --out "${tts_exp}/init.pth")
    ${train_cmd} "${tts_exp}/log/init.log" \
        "${python}" -m silvertalk.bin.tts_init --arguments "${tts_exp}/log/init.arguments" "${init[@]}"
    sed -n 's/^.*INFO: start: /    /p' "${tts_exp}/log/init.log"
}

# tts_pretrain: the halves of JETS, of --init_tts where there is one, trained apart and at the same time
# -> tts_exp/joined.pth. Each takes one core.
tts_pretrain() {
    local part jobs=() job init=()
    [ -z "${init_tts}" ] || init=(--init "${tts_exp}/init.pth")
    for part in mel vocoder; do
        log "the ${part} half: see ${tts_exp}/pretrain/${part}/train.log"
        OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=passive GLIBC_TUNABLES="${tts_malloc}" \
            ${cuda_cmd} --gpu "${ngpu}" "${tts_exp}/log/pretrain_${part}.log" \
            "${python}" -m silvertalk.bin.train tts_pretrain --config "${tts_pretrain_config//PART/${part}}" --part "${part}" \
            --voice_config "${tts_exp}/log/init/config.yaml" --exp_dir "${tts_exp}/pretrain/${part}" \
            --trainer.ngpu "${ngpu}" "${init[@]}" &
        jobs+=("$!")
    done
    for job in "${jobs[@]}"; do
        wait "${job}" || die "a half of the voice was not trained; see ${tts_exp}/log/pretrain_*.log"
    done
    ${train_cmd} "${tts_exp}/log/join.log" \
        "${python}" -m silvertalk.bin.tts_join --voice_config "${tts_exp}/log/init/config.yaml" \
        --mel_exp "${tts_exp}/pretrain/mel" --vocoder_exp "${tts_exp}/pretrain/vocoder" --out "${tts_exp}/joined.pth"
}

# Stage 7: -> tts_exp, resumed from its checkpoint.pth when there is one.
tts_train() {
    local arguments=() launcher=() from=()
    mkdir -p "${tts_exp}/log"
    [ -z "${init_tts}" ] || from+=(--init true)
    [ -z "${tts_pretrain_config}" ] || from+=(--pretrain true)
    tts_prepare train "${tts_exp}/log/prepare.log" \
        --exp_dir "${tts_exp}" --ngpu "${ngpu}" --num_nodes "${num_nodes}" "${from[@]}"
    if [ -n "${tts_pretrain_config}" ]; then
        if [ ! -f "${tts_exp}/joined.pth" ]; then
            tts_init
            tts_pretrain
        fi
    elif [ -n "${init_tts}" ] && [ ! -f "${tts_exp}/init.pth" ]; then
        tts_init
    fi
    # A resumed training keeps the log of the earlier one, as ESPnet's launcher does.
    [ ! -s "${tts_exp}/train.log" ] || mv "${tts_exp}/train.log" "${tts_exp}/train.$(date '+%Y%m%dT%H%M%S').log"
    log "training of ${tts_exp}: see ${tts_exp}/train.log and tensorboard --logdir ${tts_exp}/tensorboard"
    # On several machines ESPnet wants one process on each; it starts those of the GPUs itself. The first one's name,
    # which it would take from Slurm's list, goes wrong there for names with "-".
    # shellcheck disable=SC2016  # the inner script's own variables
    [ "${num_nodes}" -le 1 ] \
        || launcher=(bash -c 'exec "$@" --dist_launcher slurm --dist_master_addr "${MASTER_ADDR}"' tts_train)
    mapfile -t arguments <"${tts_exp}/log/arguments"
    train_job 1 "${tts_exp}/train.log" "${launcher[@]}" \
        env OMP_WAIT_POLICY=passive GLIBC_TUNABLES="${tts_malloc}" \
        "${python}" -m "espnet2.bin.${tts_task}_train" "${arguments[@]}"
}

# tts_weights: the checkpoint of --decode_tag. Voices of ESPnet's zoo have the averaged file without the short name for
# it, stored voices have one checkpoint.
tts_weights() {
    local path
    for path in "${tts_exp}/${decode_tag}.pth" "${tts_exp}/${decode_tag}"_*best.pth "${tts_exp}/model.safetensors"; do
        [ ! -e "${path}" ] || { echo "${path}"; return 0; }
    done
    die "no ${tts_exp}/${decode_tag}.pth; run stage 7, or choose --decode_tag among:" \
        "$(cd "${tts_exp}" && find . -name '*.pth' ! -name checkpoint.pth ! -name init.pth ! -name joined.pth -printf '%f ')"
}

# Stage 8: speech of the sets -> tts_decode_dir/<set>; under tts_exp unless that is another recipe's.
tts_decode() {
    local set weights left=() out=${tts_decode_dir:-${tts_exp}/decode_${decode_tag}} vocoder_file=${vocoder_file}
    need "${tts_exp}/config.yaml" 7
    tts_choose_vocoder
    weights=$(tts_weights) || exit 1
    for set in ${decode_sets}; do
        need "${dumpdir}/raw/${set}/text" 4
        [ -f "${out}/${set}/.done" ] || left+=("${set}")
    done
    [ "${#left[@]}" -gt 0 ] || return 0
    tts_prepare decode "${out}/log/prepare.log" --exp_dir "${tts_exp}" --weights "${weights}" --out_dir "${out}" \
        --sets "${left[@]}" --nj "${nj}" --use_teacher_forcing "${use_teacher_forcing}" --vocoder_file "${vocoder_file}" \
        --decode_args="${tts_decode_args}"
    for set in "${left[@]}"; do
        show_skipped "${out}/${set}/text.unknown.tsv" "characters are not spoken, listed"
        show_skipped "${out}/${set}/skipped.tsv"
        tts_decode_set "${set}" "${out}/${set}"
    done
}

# tts_choose_vocoder: note beside a voice of spectrograms which vocoder it is scored with, because it speaks with that one
# from now on; one of another recipe keeps its own.
tts_choose_vocoder() {
    [ "${tts_task}" = tts ] || return 0
    [ -n "${vocoder_file}" ] || is_outside "${tts_exp}" || vocoder_file=none
    vocoder_file=$("${python}" -m silvertalk.bin.tts_vocoder --exp_dir "${tts_exp}" --vocoder_file "${vocoder_file}") \
        || die "see --vocoder_file"
}

# tts_decode_set SET DIR: every job writes its own folder and then a mark, so a killed decoding goes
# on with the jobs that have none. The merged names are those of ESPnet's tts.sh.
tts_decode_set() {
    local set=$1 dir=$2 logdir=$2/log jobs arguments=()
    jobs=$(<"${logdir}/jobs")
    mapfile -t arguments <"${logdir}/arguments"
    # shellcheck disable=SC2016  # the inner script's own variables
    ${train_cmd} --max-jobs-run "${nj}" --num-threads 1 JOB=1:"${jobs}" "${logdir}/tts_inference.JOB.log" \
        bash -c '
            out=$1; shift
            [ ! -f "${out}/.done" ] || exit 0
            rm -rf "${out}" && "$@" --output_dir "${out}" && touch "${out}/.done"' tts_inference \
        "${logdir}/output.JOB" "${python}" -m espnet2.bin.tts_inference "${arguments[@]}"
    tts_merge "${dir}" "${jobs}"
    touch "${dir}/.done"
    log "${dir}: $(wc -l <"${dir}/wav/wav.scp") of $(wc -l <"${dumpdir}/raw/${set}/text") utterances spoken"
}

# tts_merge DIR JOBS: output.JOB of all jobs into one tree. What the model does not give (JETS has no
# attention matrices or stop probabilities) is not there.
tts_merge() {
    local dir=$1 jobs=$2 n part name
    for part in norm/feats.scp denorm/feats.scp durations/durations focus_rates/focus_rates speech_shape/speech_shape; do
        [ -s "${dir}/log/output.1/${part}" ] || continue
        mkdir -p "${dir}/${part%/*}"
        for n in $(seq "${jobs}"); do
            cat "${dir}/log/output.${n}/${part}"
        done | LC_ALL=C sort -k1 >"${dir}/${part}"
    done
    for part in att_ws probs wav; do
        [ -n "$(find "${dir}/log/output.1/${part}" -type f -print -quit 2>/dev/null)" ] || continue
        mkdir -p "${dir}/${part}"
        for n in $(seq "${jobs}"); do
            # Hard links: the jobs' folders stay whole until the end, so this step can be repeated.
            find "${dir}/log/output.${n}/${part}" -type f -exec ln -f -t "${dir}/${part}" {} +
        done
    done
    find "${dir}/wav" -name '*.wav' | while IFS= read -r name; do
        printf '%s %s\n' "$(basename "${name}" .wav)" "${name}"
    done | LC_ALL=C sort -k1 >"${dir}/wav/wav.scp"
    echo raw >"${dir}/feats_type"
}
