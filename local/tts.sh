#!/usr/bin/env bash
# Sourced by run.sh: stages 5-8, the voice. ESPnet's own programs do the work (tasks tts and gan_tts);
# here are only their arguments, in the order of ESPnet's tts.sh and with its folder names.
# Functions read: python train_cmd cuda_cmd dumpdir expdir fs n_fft hop_length nj ngpu num_nodes token_type
# srctexts use_sid use_lid use_spk_embed trains_voice cleaner g2p language normalise tts_config tts_task
# tts_train_args tts_spk token_list tts_stats_dir tts_exp
# teacher_exp init_tts tts_pretrain_config decode_tag decode_sets tts_decode_args tts_decode_dir use_teacher_forcing vocoder_file.
# tts_choose_model sets tts_model, tts_task, tts_features and decode_tag.
# The sourcing script has run `set -euo pipefail` and sourced common.sh.
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

# tts_feature_options: the acoustic features, from the recipe's fs, n_fft and hop_length, so that no
# YAML repeats them. tts_train and tts_stats must agree, hence one place.
tts_feature_options() {
    if [ "${tts_model}" = vits ]; then
        printf '%s\n' \
            --feats_extract linear_spectrogram \
            --feats_extract_conf "n_fft=${n_fft}" \
            --feats_extract_conf "hop_length=${hop_length}" \
            --feats_extract_conf "win_length=null"
    else
        printf '%s\n' \
            --feats_extract fbank \
            --feats_extract_conf "fs=${fs}" \
            --feats_extract_conf "n_fft=${n_fft}" \
            --feats_extract_conf "hop_length=${hop_length}" \
            --feats_extract_conf "win_length=null" \
            --feats_extract_conf "n_mels=80" \
            --feats_extract_conf "fmin=80" \
            --feats_extract_conf "fmax=$((fs / 2 < 7600 ? fs / 2 : 7600))"
    fi
    ! tts_has_pitch || tts_pitch_options
    [ "${tts_task}" = tts ] || printf '%s\n' --tts_conf "sampling_rate=${fs}"
}

# tts_has_pitch: whether the model is given pitch and energy.
tts_has_pitch() { [[ ${tts_model} =~ ^(jets|fastspeech2)$ ]]; }

# tts_pitch_options: the settings of both; by which extractor stands in the YAML.
tts_pitch_options() {
    printf '%s\n' \
        --pitch_extract_conf "fs=${fs}" \
        --pitch_extract_conf "n_fft=${n_fft}" \
        --pitch_extract_conf "hop_length=${hop_length}" \
        --pitch_extract_conf "f0min=80" \
        --pitch_extract_conf "f0max=400" \
        --energy_extract_conf "fs=${fs}" \
        --energy_extract_conf "n_fft=${n_fft}" \
        --energy_extract_conf "hop_length=${hop_length}" \
        --energy_extract_conf "win_length=null"
}

# tts_stats_options: what stage 6 computes. For Tacotron 2 it is what JETS needs, so that both can use one folder.
tts_stats_options() {
    tts_feature_options
    [ "${tts_model}" = tacotron2 ] || return 0
    printf '%s\n' --pitch_extract dio --pitch_extract_conf reduction_factor=1 --pitch_extract_conf use_token_averaged_f0=false \
        --energy_extract energy --energy_extract_conf reduction_factor=1 --energy_extract_conf use_token_averaged_energy=false
    tts_pitch_options
}

# tts_text_options: how text becomes tokens.
tts_text_options() {
    printf '%s\n' \
        --use_preprocessor true \
        --token_type "${token_type}" \
        --token_list "${token_list}" \
        --non_linguistic_symbols none \
        --cleaner "${cleaner}" \
        --g2p "$(tts_espnet_g2p)"
}

# tts_asks_transcripts: whether the converter depends on a language that only the transcripts tell.
tts_asks_transcripts() { [ "${g2p}" = auto ] && [ "${language}" = auto ]; }

# tts_choose_g2p: "auto" becomes the converter of the language; one that cannot run here, or such a cleaner, ends the run.
tts_choose_g2p() {
    [[ ${g2p}${cleaner} != nonenone ]] || return 0
    if tts_asks_transcripts; then
        has_table text || { g2p=none && return 0; }   # then there is no voice to train
        need "${datadir}/tr_no_dev/text" 1
        language=$("${python}" -m silvertalk.bin.tts_language --text "${datadir}/tr_no_dev/text") \
            || die "name the language of the transcripts: --language ko, en, zh or another"
    fi
    g2p=$("${python}" -m silvertalk.bin.tts_g2p --language "${language}" --g2p "${g2p}" --cleaner "${cleaner}") \
        || die "choose another --g2p or --cleaner, or install what it needs"
    [ "${g2p}" != espeak ] || [ "${token_type}" = phn ] || die "--g2p espeak writes sounds: add --token_type phn"
}

# tts_espnet_g2p: what ESPnet is told; the phonemes of our own espeak are in the text already.
tts_espnet_g2p() { if [ "${g2p}" = espeak ]; then echo none; else echo "${g2p}"; fi; }

# tts_is_spoken: whether the transcripts are rewritten before ESPnet reads them.
tts_is_spoken() { [ "${normalise}" != none ] || [ "${g2p}" = espeak ]; }

# tts_set_text SET: the text of a set that ESPnet reads.
tts_set_text() { if tts_is_spoken; then echo "${token_list%/*}/text/$1"; else echo "${dumpdir}/raw/$1/text"; fi; }

# tts_sound SET: the sound of a set as an argument of ESPnet, which reads archives in another way than files.
tts_sound() {
    local scp=${dumpdir}/raw/$1/wav.scp place=
    [ ! -f "${scp}" ] || read -r _ place <"${scp}" || true
    if [[ ${place} =~ \.ark:[0-9]+$ ]]; then echo "${scp},speech,kaldi_ark"; else echo "${scp},speech,sound"; fi
}

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

# tts_ids SET KEYS TABLES OUT [options]: the numbers of the speakers and languages of KEYS -> OUT/utt2sid, OUT/utt2lid,
# by TABLES/spk2sid and lang2lid, where there are any.
tts_ids() {
    local set=$1 keys=$2 tables=$3 out=$4
    shift 4
    [ -f "${tables}/spk2sid" ] || [ -f "${tables}/lang2lid" ] || [ $# -gt 0 ] || return 0
    ${train_cmd} "${keys%.keys}.ids.log" \
        "${python}" -m silvertalk.bin.tts_ids --data_dir "${dumpdir}/raw/${set}" --keys "${keys}" \
        --tables "${tables}" --out_dir "${out}" "$@"
}

# tts_conditions OPTION IDS [EMBEDDINGS]: who speaks, and in which language, as values of ESPnet's OPTION.
tts_conditions() {
    [ ! -f "$2/utt2sid" ] || printf '%s\n' "$1" "$2/utt2sid,sids,text_int"
    [ ! -f "$2/utt2lid" ] || printf '%s\n' "$1" "$2/utt2lid,lids,text_int"
    [ $# -eq 2 ] || printf '%s\n' "$1" "$3,spembs,kaldi_ark"
}

# tts_speaker_options: for a voice of several speakers or languages the sizes of the model's tables, and who speaks what.
tts_speaker_options() {
    local part set=tr_no_dev inside=generator_params. embeddings=()
    [[ ${use_sid}${use_lid}${use_spk_embed} == *true* ]] || return 0
    [ "${tts_task}" = gan_tts ] || inside=
    [ "${use_sid}" = false ] || printf '%s\n' --tts_conf "${inside}spks=$(wc -l <"${tts_stats_dir}/spk2sid")"
    [ "${use_lid}" = false ] || printf '%s\n' --tts_conf "${inside}langs=$(wc -l <"${tts_stats_dir}/lang2lid")"
    [ "${use_spk_embed}" = false ] || printf '%s\n' --tts_conf "${inside}spk_embed_dim=256"
    # VITS gives them to all of its parts, through channels that a voice of one speaker does not have.
    [ "${tts_model}" != vits ] || grep -q '^ *global_channels: *[1-9]' "${tts_config}" \
        || printf '%s\n' --tts_conf "${inside}global_channels=256"
    for part in train valid; do
        [ "${use_spk_embed}" = false ] || embeddings=("${dumpdir}/spk_embed/${set}/embed.scp")
        tts_conditions "--${part}_data_path_and_name_and_type" "${tts_stats_dir}/${part}" "${embeddings[@]}"
        set=dev
    done
}

# tts_speak_text TEXT OUT [options]: the transcripts of TEXT as they are spoken -> OUT, and what is not in OUT.unknown.tsv.
tts_speak_text() {
    local text=$1 out=$2
    shift 2
    mkdir -p "${out%/*}"
    # shellcheck disable=SC2086  # the command is several words
    ${train_cmd} "${out}.log" "${python}" -m silvertalk.bin.tts_text --text "${text}" \
        --out "${out}" --unknown "${out}.unknown.tsv" "$@"
    if [ -s "${out}.unknown.tsv" ]; then
        log "${text}: $(wc -l <"${out}.unknown.tsv") characters are not spoken, listed in ${out}.unknown.tsv"
    fi
}


# tts_split KEYS PREFIX N: KEYS into PREFIX.1.scp .. PREFIX.N.scp, as even as can be.
tts_split() {
    awk -v n="$3" -v prefix="$2" '{print > (prefix "." (NR - 1) % n + 1 ".scp")}' "$1"
}

# tts_usable SET TEXT UNITS TOKENS KEYS SKIPPED: the utterances that stages 6-8 can use, and the others with a reason.
# TEXT is what ESPnet reads of SET, UNITS its token type (word for phonemes that are written out).
# TOKENS is a token list or a voice's config.yaml. More arguments go to the worker.
tts_usable() {
    local set=$1 text=$2 units=$3 tokens=$4 keys=$5 skipped=$6
    shift 6
    # shellcheck disable=SC2086  # the command is several words
    ${train_cmd} "${keys%.keys}.usable.log" \
        "${python}" -m silvertalk.bin.tts_filter --data_dir "${dumpdir}/raw/${set}" \
        --text "${text}" --token_list "${tokens}" --token_type "${units}" --cleaner "${cleaner}" \
        --g2p "$(tts_espnet_g2p)" --keys "${keys}" --skipped "${skipped}" "$@"
    if [ -s "${skipped}" ]; then
        log "${set}: $(wc -l <"${skipped}") utterances left out, listed with reasons in ${skipped}:"
        sed -n '1,5s/^/    /p' "${skipped}"
    fi
}

# Stage 5: dump/raw/tr_no_dev/text -> dump/raw/srctexts -> the token list. Only the training set
# gives tokens, unless --srctexts adds more: a character that the model never heard has an untrained embedding.
tts_token_list() {
    local text texts=() all=${dumpdir}/raw/srctexts made=${token_list%.txt}.new.txt set
    local speaking=(--language "${language}" --normalise "${normalise}" --g2p "${g2p}")
    need "${dumpdir}/raw/tr_no_dev/text" 4
    if tts_is_spoken; then
        for set in tr_no_dev dev; do
            tts_speak_text "${dumpdir}/raw/${set}/text" "$(tts_set_text "${set}")" "${speaking[@]}"
        done
    fi
    texts=("$(tts_set_text tr_no_dev)")
    for text in ${srctexts}; do
        [ -f "${text}" ] || die "no ${text}; give --srctexts text files of Kaldi's form (utterance id, text)"
        if tts_is_spoken; then
            texts+=("${token_list%/*}/text/srctexts.${#texts[@]}")
            tts_speak_text "${text}" "${texts[-1]}" "${speaking[@]}"
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
    local train=${dumpdir}/raw/tr_no_dev valid=${dumpdir}/raw/dev logdir=${tts_stats_dir}/logdir
    local jobs n part inputs=() options=() units=${token_type} number=()
    [ "${g2p}" != espeak ] || units=word
    need "${token_list}" 5
    need "${train}/wav.scp" 4
    need "${valid}/wav.scp" 4
    rm -rf "${logdir}"   # shapes of an earlier, killed attempt must not be mixed in
    rm -f "${tts_stats_dir}"/{spk2sid,lang2lid} "${tts_stats_dir}"/{train,valid}/utt2{sid,lid}
    [ "${use_sid}" = false ] || number+=(--number_speakers true)
    [ "${use_lid}" = false ] || number+=(--number_languages true)
    mkdir -p "${logdir}"
    tts_usable tr_no_dev "$(tts_set_text tr_no_dev)" "${units}" "${token_list}" "${logdir}/train.keys" "${tts_stats_dir}/skipped.train.tsv" \
        --train_config "${tts_config}" --train_args="${tts_train_args}" --fs "${fs}" --hop_length "${hop_length}" --spk "${tts_spk:-}"
    tts_ids tr_no_dev "${logdir}/train.keys" "${tts_stats_dir}" "${tts_stats_dir}/train" "${number[@]}"
    tts_usable dev "$(tts_set_text dev)" "${units}" "${token_list}" "${logdir}/valid.keys" "${tts_stats_dir}/skipped.valid.tsv" \
        --train_config "${tts_config}" --train_args="${tts_train_args}" --fs "${fs}" --hop_length "${hop_length}" --tables "${tts_stats_dir}"
    tts_ids dev "${logdir}/valid.keys" "${tts_stats_dir}" "${tts_stats_dir}/valid"
    jobs=${nj}
    for part in train valid; do
        n=$(wc -l <"${logdir}/${part}.keys")
        [ "${jobs}" -le "${n}" ] || jobs=${n}
    done
    tts_split "${logdir}/train.keys" "${logdir}/train" "${jobs}"
    tts_split "${logdir}/valid.keys" "${logdir}/valid" "${jobs}"
    mapfile -t options < <(tts_text_options; tts_stats_options; tts_speaker_options)
    if [ "${tts_model}" = fastspeech2 ]; then
        for part in train valid; do
            tts_durations "${part}" "${jobs}"
            options+=("--${part}_data_path_and_name_and_type" "${tts_stats_dir}/${part}/durations,durations,text_int")
        done
    fi
    # shellcheck disable=SC2086
    ${train_cmd} --num-threads 1 JOB=1:"${jobs}" "${logdir}/stats.JOB.log" \
        "${python}" -m "espnet2.bin.${tts_task}_train" --config "${tts_config}" \
        --collect_stats true --write_collected_feats true "${options[@]}" \
        --normalize none --pitch_normalize none --energy_normalize none \
        --train_data_path_and_name_and_type "$(tts_set_text tr_no_dev),text,text" \
        --train_data_path_and_name_and_type "$(tts_sound tr_no_dev)" \
        --valid_data_path_and_name_and_type "$(tts_set_text dev),text,text" \
        --valid_data_path_and_name_and_type "$(tts_sound dev)" \
        --train_shape_file "${logdir}/train.JOB.scp" --valid_shape_file "${logdir}/valid.JOB.scp" \
        --output_dir "${logdir}/stats.JOB" --ngpu 0 ${tts_train_args}
    for n in $(seq "${jobs}"); do
        inputs+=(--input_dir "${logdir}/stats.${n}")
    done
    # shellcheck disable=SC2086
    ${train_cmd} "${logdir}/aggregate.log" \
        "${python}" -m espnet2.bin.aggregate_stats_dirs "${inputs[@]}" --output_dir "${tts_stats_dir}"
    # ESPnet's batch maker wants "length,vocabulary" for text.
    for part in train valid; do
        awk -v size="$(wc -l <"${token_list}")" '{print $0 "," size}' \
            "${tts_stats_dir}/${part}/text_shape" >"${tts_stats_dir}/${part}/text_shape.${token_type}"
    done
}

# tts_durations PART JOBS: frames of each token of train or valid, which the teacher hears in the recordings.
tts_durations() {
    local part=$1 jobs=$2 logdir=${tts_stats_dir}/logdir set=tr_no_dev n tables embeddings=()
    [ "${part}" = train ] || set=dev
    mkdir -p "${tts_stats_dir}/${part}"
    # A teacher of several speakers has its own numbers for them.
    tts_ids "${set}" "${logdir}/${part}.keys" "${teacher_exp}" "${logdir}/teacher.${part}"
    ! tts_has_embeddings "${teacher_exp}" || embeddings=("${dumpdir}/spk_embed/${set}/embed.scp")
    tables=("$(tts_set_text "${set}"),text,text" "$(tts_sound "${set}")")
    mapfile -t -O 2 tables < <(tts_conditions "" "${logdir}/teacher.${part}" "${embeddings[@]}" | grep .)
    ${train_cmd} --num-threads 1 JOB=1:"${jobs}" "${logdir}/durations.${part}.JOB.log" \
        "${python}" -m silvertalk.bin.tts_align --exp_dir "${teacher_exp}" --train_config "${tts_config}" \
        --token_list "${token_list}" --token_type "${token_type}" --cleaner "${cleaner}" --g2p "$(tts_espnet_g2p)" \
        --fs "${fs}" --hop_length "${hop_length}" --keys "${logdir}/${part}.JOB.scp" --out "${logdir}/durations.${part}.JOB" \
        --data "${tables[@]}"
    for n in $(seq "${jobs}"); do
        cat "${logdir}/durations.${part}.${n}"
    done | LC_ALL=C sort -k1,1 >"${tts_stats_dir}/${part}/durations"
}

# tts_dry_run OPTION...: ESPnet writes down the model that is to be trained -> tts_exp/log/init/config.yaml.
tts_dry_run() {
    # shellcheck disable=SC2086
    ${train_cmd} "${tts_exp}/log/init_config.log" \
        "${python}" -m "espnet2.bin.${tts_task}_train" --config "${tts_config}" "$@" \
        --dry_run true --output_dir "${tts_exp}/log/init" --ngpu 0 ${tts_train_args}
}

# tts_init OPTION...: --init_tts as weights of this model and these tokens -> tts_exp/init.pth.
tts_init() {
    [ ! -f "${tts_exp}/init.pth" ] || return 0
    tts_dry_run "$@"
    ${train_cmd} "${tts_exp}/log/init.log" \
        "${python}" -m silvertalk.bin.tts_init --init "${init_tts}" --config_dir "${tts_exp}/log/init" --out "${tts_exp}/init.pth"
    sed -n 's/^.*INFO: start: /    /p' "${tts_exp}/log/init.log"
}

# tts_pretrain OPTION...: the halves of JETS, of --init_tts where there is one, trained apart and at the same time
# -> tts_exp/joined.pth. Each takes one core.
tts_pretrain() {
    local part jobs=() job init=()
    [ ! -f "${tts_exp}/joined.pth" ] || return 0
    if [ -n "${init_tts}" ]; then init=(--init "${tts_exp}/init.pth"); else tts_dry_run "$@"; fi
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
    local train=${dumpdir}/raw/tr_no_dev valid=${dumpdir}/raw/dev part kind options=() launcher=()
    local kinds=(feats) restart=
    if tts_has_pitch; then kinds+=(pitch energy); fi
    for kind in "${kinds[@]}"; do
        need "${tts_stats_dir}/train/${kind}_stats.npz" 6
    done
    mkdir -p "${tts_exp}"
    mapfile -t options < <(tts_feature_options)
    # shellcheck disable=SC2086
    ${train_cmd} "${tts_exp}/check.log" \
        "${python}" -m silvertalk.bin.tts_check --train_config "${tts_config}" \
        --fs "${fs}" --hop_length "${hop_length}" --n_fft "${n_fft}" --ngpu "${ngpu}" \
        --stats_dir "${tts_stats_dir}" --exp_dir "${tts_exp}" \
        --train_args="${options[*]} ${tts_train_args}"
    mapfile -t options < <(tts_text_options; tts_feature_options; tts_speaker_options)
    for part in train valid; do
        local data=${train}
        [ "${part}" = train ] || data=${valid}
        options+=(
            "--${part}_data_path_and_name_and_type" "$(tts_set_text "${data##*/}"),text,text"
            "--${part}_data_path_and_name_and_type" "$(tts_sound "${data##*/}")"
            "--${part}_shape_file" "${tts_stats_dir}/${part}/text_shape.${token_type}"
            "--${part}_shape_file" "${tts_stats_dir}/${part}/speech_shape"
        )
        for kind in "${kinds[@]:1}"; do
            options+=("--${part}_data_path_and_name_and_type" "${tts_stats_dir}/${part}/collect_feats/${kind}.scp,${kind},npy")
        done
        [ "${tts_model}" != fastspeech2 ] \
            || options+=("--${part}_data_path_and_name_and_type" "${tts_stats_dir}/${part}/durations,durations,text_int")
    done
    # VITS takes the spectrogram as it is. A voice carries its statistics with it, so that its folder can be used from
    # elsewhere.
    [ "${tts_model}" != vits ] || { kinds=() && options+=(--normalize none); }
    for kind in "${kinds[@]}"; do
        cp "${tts_stats_dir}/train/${kind}_stats.npz" "${tts_exp}/"
        part=${kind}_normalize
        part=${part#feats_}
        options+=("--${part}" global_mvn "--${part}_conf" "stats_file=${tts_exp}/${kind}_stats.npz")
    done
    # So that it can tell who can speak with it.
    for part in "${tts_stats_dir}/spk2sid" "${tts_stats_dir}/lang2lid"; do
        [ ! -f "${part}" ] || cp "${part}" "${tts_exp}/"
    done
    [ "${use_spk_embed}" = false ] || cp "${dumpdir}/spk_embed/tr_no_dev/spk_embed.ark" "${tts_exp}/"
    # What was done to the transcripts is done to what the voice is asked to say.
    if tts_is_spoken; then
        ${train_cmd} "${tts_exp}/text.log" "${python}" -m silvertalk.bin.tts_g2p --language "${language}" \
            --g2p "${g2p}" --normalise "${normalise}" --save_to "${tts_exp}"
    fi
    # restart.pth is left by tts_check when checkpoint.pth could not be read: weights to start from instead.
    [ -z "${init_tts}" ] || { tts_init "${options[@]}" && restart=${tts_exp}/init.pth; }
    [ -z "${tts_pretrain_config}" ] || { tts_pretrain "${options[@]}" && restart=${tts_exp}/joined.pth; }
    [ ! -f "${tts_exp}/restart.pth" ] || restart=${tts_exp}/restart.pth
    [ -z "${restart}" ] || options+=(--init_param "${restart}")
    # A resumed training keeps the log of the earlier one, as ESPnet's launcher does.
    [ ! -s "${tts_exp}/train.log" ] || mv "${tts_exp}/train.log" "${tts_exp}/train.$(date '+%Y%m%dT%H%M%S').log"
    log "training of ${tts_exp}: see ${tts_exp}/train.log and tensorboard --logdir ${tts_exp}/tensorboard"
    # On several machines ESPnet wants one process on each; it starts those of the GPUs itself. The first one's name,
    # which it would take from Slurm's list, goes wrong there for names with "-".
    if [ "${num_nodes}" -gt 1 ]; then
        # shellcheck disable=SC2016  # the inner script's own variables
        launcher=(bash -c 'exec "$@" --dist_launcher slurm --dist_master_addr "${MASTER_ADDR}"' tts_train)
        [ "${ngpu}" -gt 0 ] || options+=(--dist_backend gloo)
    fi
    # shellcheck disable=SC2086
    train_job 1 "${tts_exp}/train.log" "${launcher[@]}" \
        env OMP_WAIT_POLICY=passive GLIBC_TUNABLES="${tts_malloc}" \
        "${python}" -m "espnet2.bin.${tts_task}_train" --config "${tts_config}" "${options[@]}" \
        --output_dir "${tts_exp}" --resume true --use_tensorboard true \
        --ngpu "${ngpu}" --multiprocessing_distributed true ${tts_train_args}
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
    local set weights
    need "${tts_exp}/config.yaml" 7
    weights=$(tts_weights) || exit 1
    for set in ${decode_sets}; do
        tts_decode_set "${set}" "${tts_decode_dir:-${tts_exp}/decode_${decode_tag}}/${set}"
    done
}

# tts_setting NAME DEFAULT: a setting of the voice.
tts_setting() {
    local value
    value=$(sed -n "s/^$1: *//p" "${tts_exp}/config.yaml")
    value=${value:-$2}
    echo "${value/null/none}"
}

# tts_decode_set SET DIR: every job writes its own folder and then a mark, so a killed decoding goes
# on with the jobs that have none. The merged names are those of ESPnet's tts.sh.
tts_decode_set() {
    local set=$1 dir=$2 logdir=$2/log n jobs text=${dumpdir}/raw/$1/text vocoder=() embeddings=() conditions=()
    # Another recipe's voice has its own tokens.
    local units cleaner=${cleaner} g2p=${g2p} weights=${weights} unpack=()
    [[ ${weights} != *.safetensors ]] || { weights=${logdir}/model.pth && unpack=(--weights "${weights}"); }
    g2p=$(tts_setting g2p "$(tts_espnet_g2p)")
    units=$(tts_setting token_type "${token_type}")
    cleaner=$(tts_setting cleaner "${cleaner}")
    need "${text}" 4
    [ -z "${vocoder_file}" ] || vocoder=(--vocoder_file "${vocoder_file}" --vocoder_config "${vocoder_file%/*}/config.yml")
    [ ! -f "${dir}/.done" ] || return 0
    mkdir -p "${logdir}"
    if [ -f "${tts_exp}/text.yaml" ]; then
        text=${dir}/text
        ! grep -qx "g2p: espeak" "${tts_exp}/text.yaml" || units=word
    fi
    if [ ! -f "${logdir}/jobs" ]; then
        [ ! -f "${tts_exp}/text.yaml" ] || tts_speak_text "${dumpdir}/raw/${set}/text" "${text}" --exp_dir "${tts_exp}"
        rm -rf "${logdir}"/output.* "${logdir}"/keys.*.scp
        tts_usable "${set}" "${text}" "${units}" "${tts_exp}/config.yaml" "${logdir}/all.keys" "${dir}/skipped.tsv" \
            --tables "${tts_exp}"
        tts_ids "${set}" "${logdir}/all.keys" "${tts_exp}" "${logdir}"
        n=$(wc -l <"${logdir}/all.keys")
        # At most 500 utterances are lost with a killed job.
        jobs=$(((n + 499) / 500))
        [ "${jobs}" -ge "${nj}" ] || jobs=${nj}
        [ "${jobs}" -le "${n}" ] || jobs=${n}
        tts_split "${logdir}/all.keys" "${logdir}/keys" "${jobs}"
        ${train_cmd} "${logdir}/config.log" \
            "${python}" -m silvertalk.bin.tts_config --exp_dir "${tts_exp}" --out "${logdir}/config.yaml" "${unpack[@]}"
        echo "${jobs}" >"${logdir}/jobs.new" && mv "${logdir}/jobs.new" "${logdir}/jobs"
    fi
    jobs=$(<"${logdir}/jobs")
    if tts_takes_embeddings; then embeddings=("${dumpdir}/spk_embed/${set}/utt2spk_embed.scp"); fi
    mapfile -t conditions < <(tts_conditions --data_path_and_name_and_type "${logdir}" "${embeddings[@]}")
    # shellcheck disable=SC2086,SC2016  # the inner script's own variables
    ${train_cmd} --max-jobs-run "${nj}" --num-threads 1 JOB=1:"${jobs}" "${logdir}/tts_inference.JOB.log" \
        bash -c '
            out=$1; shift
            [ ! -f "${out}/.done" ] || exit 0
            rm -rf "${out}" && "$@" --output_dir "${out}" && touch "${out}/.done"' tts_inference \
        "${logdir}/output.JOB" "${python}" -m espnet2.bin.tts_inference \
        --data_path_and_name_and_type "${text},text,text" \
        --data_path_and_name_and_type "$(tts_sound "${set}")" "${conditions[@]}" \
        --key_file "${logdir}/keys.JOB.scp" --model_file "${weights}" \
        --train_config "${logdir}/config.yaml" --ngpu 0 --always_fix_seed true \
        --use_teacher_forcing "${use_teacher_forcing}" "${vocoder[@]}" ${tts_decode_args}
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
