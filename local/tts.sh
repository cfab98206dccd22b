#!/usr/bin/env bash
# Sourced by run.sh: stages 5-8, the voice. ESPnet's own programs do the work (GAN-TTS task, JETS);
# here are only their arguments, in the order of ESPnet's tts.sh and with its folder names.
# Functions read: python train_cmd cuda_cmd dumpdir expdir fs n_fft hop_length nj ngpu num_nodes token_type
# cleaner g2p language normalise tts_config tts_train_args tts_spk token_list tts_stats_dir tts_exp decode_tag
# tts_decode_dir.
# The sourcing script has run `set -euo pipefail` and sourced common.sh.
# shellcheck disable=SC2154  # those variables are set by run.sh

# Large blocks stay with the process instead of going back to the kernel after every operation, and
# come in large pages: a tenth less time per iteration on a CPU. Waiting threads sleep, so that
# other jobs on the machine do not slow the training tenfold.
tts_malloc=glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=8589934592
tts_malloc+=:glibc.malloc.top_pad=268435456:glibc.malloc.hugetlb=1

# tts_feature_options: the acoustic features, from the recipe's fs, n_fft and hop_length, so that no
# YAML repeats them. tts_train and tts_stats must agree, hence one place.
tts_feature_options() {
    printf '%s\n' \
        --feats_extract fbank \
        --feats_extract_conf "fs=${fs}" \
        --feats_extract_conf "n_fft=${n_fft}" \
        --feats_extract_conf "hop_length=${hop_length}" \
        --feats_extract_conf "win_length=null" \
        --feats_extract_conf "n_mels=80" \
        --feats_extract_conf "fmin=80" \
        --feats_extract_conf "fmax=$((fs / 2 < 7600 ? fs / 2 : 7600))" \
        --pitch_extract_conf "fs=${fs}" \
        --pitch_extract_conf "n_fft=${n_fft}" \
        --pitch_extract_conf "hop_length=${hop_length}" \
        --pitch_extract_conf "f0min=80" \
        --pitch_extract_conf "f0max=400" \
        --energy_extract_conf "fs=${fs}" \
        --energy_extract_conf "n_fft=${n_fft}" \
        --energy_extract_conf "hop_length=${hop_length}" \
        --energy_extract_conf "win_length=null" \
        --tts_conf "sampling_rate=${fs}"
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

# tts_choose_g2p: "auto" becomes the converter of the language; one that cannot run here ends the run.
tts_choose_g2p() {
    [ "${g2p}" != none ] || return 0
    g2p=$("${python}" -m silvertalk.bin.tts_g2p --language "${language}" --g2p "${g2p}") \
        || die "choose another --g2p or install what it needs"
    [ "${g2p}" != espeak ] || [ "${token_type}" = phn ] || die "--g2p espeak writes sounds: add --token_type phn"
}

# tts_espnet_g2p: what ESPnet is told; the phonemes of our own espeak are in the text already.
tts_espnet_g2p() { if [ "${g2p}" = espeak ]; then echo none; else echo "${g2p}"; fi; }

# tts_is_spoken: whether the transcripts are rewritten before ESPnet reads them.
tts_is_spoken() { [ "${normalise}" != none ] || [ "${g2p}" = espeak ]; }

# tts_set_text SET: the text of a set that ESPnet reads.
tts_set_text() { if tts_is_spoken; then echo "${token_list%/*}/text/$1"; else echo "${dumpdir}/raw/$1/text"; fi; }

# tts_speak_text SET OUT [options]: the transcripts of SET as they are spoken -> OUT, and what is not in OUT.unknown.tsv.
tts_speak_text() {
    local set=$1 out=$2
    shift 2
    mkdir -p "${out%/*}"
    # shellcheck disable=SC2086  # the command is several words
    ${train_cmd} "${out}.log" "${python}" -m silvertalk.bin.tts_text --text "${dumpdir}/raw/${set}/text" \
        --out "${out}" --unknown "${out}.unknown.tsv" "$@"
    if [ -s "${out}.unknown.tsv" ]; then
        log "${set}: $(wc -l <"${out}.unknown.tsv") characters are not spoken, listed in ${out}.unknown.tsv"
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
        --keys "${keys}" --skipped "${skipped}" "$@"
    if [ -s "${skipped}" ]; then
        log "${set}: $(wc -l <"${skipped}") utterances left out, listed with reasons in ${skipped}:"
        sed -n '1,5s/^/    /p' "${skipped}"
    fi
}

# Stage 5: dump/raw/tr_no_dev/text -> dump/raw/srctexts -> the token list. Only the training set
# gives tokens: a character that the model never heard must not get an untrained embedding.
tts_token_list() {
    local text srctexts=${dumpdir}/raw/srctexts made set
    need "${dumpdir}/raw/tr_no_dev/text" 4
    if tts_is_spoken; then
        for set in tr_no_dev dev; do
            tts_speak_text "${set}" "$(tts_set_text "${set}")" \
                --language "${language}" --normalise "${normalise}" --g2p "${g2p}"
        done
    fi
    text=$(tts_set_text tr_no_dev)
    made=${token_list%.txt}.new.txt
    mkdir -p "${token_list%/*}"
    cp "${text}" "${srctexts}.new" && mv "${srctexts}.new" "${srctexts}"
    # "<unk>" keeps ESPnet's readers content; text with unknown characters never gets that far.
    # shellcheck disable=SC2086
    ${train_cmd} "${token_list%.txt}.log" \
        "${python}" -m espnet2.bin.tokenize_text --token_type "${token_type}" -f 2- \
        --input "${srctexts}" --output "${made}" --non_linguistic_symbols none \
        --cleaner "${cleaner}" --g2p "$(tts_espnet_g2p)" --write_vocabulary true \
        --add_symbol "<blank>:0" --add_symbol "<unk>:1" --add_symbol "<sos/eos>:-1"
    mv "${made}" "${token_list}"
    log "${token_list}: $(wc -l <"${token_list}") tokens from $(wc -l <"${srctexts}") transcripts"
}

# Stage 6: shapes, mean and variance, pitch and energy of every utterance -> tts_stats_dir.
tts_stats() {
    local train=${dumpdir}/raw/tr_no_dev valid=${dumpdir}/raw/dev logdir=${tts_stats_dir}/logdir
    local jobs n part inputs=() options=() units=${token_type}
    [ "${g2p}" != espeak ] || units=word
    need "${token_list}" 5
    need "${train}/wav.scp" 4
    need "${valid}/wav.scp" 4
    rm -rf "${logdir}"   # shapes of an earlier, killed attempt must not be mixed in
    mkdir -p "${logdir}"
    tts_usable tr_no_dev "$(tts_set_text tr_no_dev)" "${units}" "${token_list}" "${logdir}/train.keys" "${tts_stats_dir}/skipped.train.tsv" \
        --train_config "${tts_config}" --fs "${fs}" --hop_length "${hop_length}" --spk "${tts_spk:-}"
    tts_usable dev "$(tts_set_text dev)" "${units}" "${token_list}" "${logdir}/valid.keys" "${tts_stats_dir}/skipped.valid.tsv" \
        --train_config "${tts_config}" --fs "${fs}" --hop_length "${hop_length}"
    jobs=${nj}
    for part in train valid; do
        n=$(wc -l <"${logdir}/${part}.keys")
        [ "${jobs}" -le "${n}" ] || jobs=${n}
    done
    tts_split "${logdir}/train.keys" "${logdir}/train" "${jobs}"
    tts_split "${logdir}/valid.keys" "${logdir}/valid" "${jobs}"
    mapfile -t options < <(tts_text_options; tts_feature_options)
    # shellcheck disable=SC2086
    ${train_cmd} --num-threads 1 JOB=1:"${jobs}" "${logdir}/stats.JOB.log" \
        "${python}" -m espnet2.bin.gan_tts_train --config "${tts_config}" \
        --collect_stats true --write_collected_feats true "${options[@]}" \
        --normalize none --pitch_normalize none --energy_normalize none \
        --train_data_path_and_name_and_type "$(tts_set_text tr_no_dev),text,text" \
        --train_data_path_and_name_and_type "${train}/wav.scp,speech,sound" \
        --valid_data_path_and_name_and_type "$(tts_set_text dev),text,text" \
        --valid_data_path_and_name_and_type "${valid}/wav.scp,speech,sound" \
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

# Stage 7: -> tts_exp, resumed from its checkpoint.pth when there is one.
tts_train() {
    local train=${dumpdir}/raw/tr_no_dev valid=${dumpdir}/raw/dev part options=() launcher=()
    need "${tts_stats_dir}/train/feats_stats.npz" 6
    mkdir -p "${tts_exp}"
    # shellcheck disable=SC2086
    ${train_cmd} "${tts_exp}/check.log" \
        "${python}" -m silvertalk.bin.tts_check --train_config "${tts_config}" \
        --fs "${fs}" --hop_length "${hop_length}" --exp_dir "${tts_exp}"
    mapfile -t options < <(tts_text_options; tts_feature_options)
    for part in train valid; do
        local data=${train}
        [ "${part}" = train ] || data=${valid}
        options+=(
            "--${part}_data_path_and_name_and_type" "$(tts_set_text "${data##*/}"),text,text"
            "--${part}_data_path_and_name_and_type" "${data}/wav.scp,speech,sound"
            "--${part}_data_path_and_name_and_type" "${tts_stats_dir}/${part}/collect_feats/pitch.scp,pitch,npy"
            "--${part}_data_path_and_name_and_type" "${tts_stats_dir}/${part}/collect_feats/energy.scp,energy,npy"
            "--${part}_shape_file" "${tts_stats_dir}/${part}/text_shape.${token_type}"
            "--${part}_shape_file" "${tts_stats_dir}/${part}/speech_shape"
        )
    done
    # A voice carries its statistics with it, so that its folder can be used from elsewhere.
    for part in feats pitch energy; do
        cp "${tts_stats_dir}/train/${part}_stats.npz" "${tts_exp}/"
    done
    # What was done to the transcripts is done to what the voice is asked to say.
    if tts_is_spoken; then
        ${train_cmd} "${tts_exp}/text.log" "${python}" -m silvertalk.bin.tts_g2p --language "${language}" \
            --g2p "${g2p}" --normalise "${normalise}" --save_to "${tts_exp}"
    fi
    # Left by tts_check when checkpoint.pth could not be read: weights to start from instead.
    [ ! -f "${tts_exp}/restart.pth" ] || options+=(--init_param "${tts_exp}/restart.pth")
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
        "${python}" -m espnet2.bin.gan_tts_train --config "${tts_config}" "${options[@]}" \
        --normalize global_mvn --normalize_conf "stats_file=${tts_exp}/feats_stats.npz" \
        --pitch_normalize global_mvn --pitch_normalize_conf "stats_file=${tts_exp}/pitch_stats.npz" \
        --energy_normalize global_mvn --energy_normalize_conf "stats_file=${tts_exp}/energy_stats.npz" \
        --output_dir "${tts_exp}" --resume true --use_tensorboard true \
        --ngpu "${ngpu}" --multiprocessing_distributed true ${tts_train_args}
}

# Stage 8: speech of dev and eval1 -> tts_decode_dir/<set>; under tts_exp unless that is another recipe's.
tts_decode() {
    local set
    need "${tts_exp}/config.yaml" 7
    [ -e "${tts_exp}/${decode_tag}.pth" ] || die "no ${tts_exp}/${decode_tag}.pth; run stage 7, or choose" \
        "--decode_tag among: $(cd "${tts_exp}" && find . -name '*.pth' ! -name checkpoint.pth -printf '%f ')"
    for set in dev eval1; do
        tts_decode_set "${set}" "${tts_decode_dir:-${tts_exp}/decode_${decode_tag}}/${set}"
    done
}

# tts_decode_set SET DIR: every job writes its own folder and then a mark, so a killed decoding goes
# on with the jobs that have none. The merged names are those of ESPnet's tts.sh.
tts_decode_set() {
    local set=$1 dir=$2 logdir=$2/log n jobs text=${dumpdir}/raw/$1/text units=${token_type}
    need "${text}" 4
    [ ! -f "${dir}/.done" ] || return 0
    mkdir -p "${logdir}"
    if [ -f "${tts_exp}/text.yaml" ]; then
        text=${dir}/text
        ! grep -qx "g2p: espeak" "${tts_exp}/text.yaml" || units=word
    fi
    if [ ! -f "${logdir}/jobs" ]; then
        [ ! -f "${tts_exp}/text.yaml" ] || tts_speak_text "${set}" "${text}" --exp_dir "${tts_exp}"
        rm -rf "${logdir}"/output.* "${logdir}"/keys.*.scp
        tts_usable "${set}" "${text}" "${units}" "${tts_exp}/config.yaml" "${logdir}/all.keys" "${dir}/skipped.tsv"
        n=$(wc -l <"${logdir}/all.keys")
        # At most 500 utterances are lost with a killed job.
        jobs=$(((n + 499) / 500))
        [ "${jobs}" -ge "${nj}" ] || jobs=${nj}
        [ "${jobs}" -le "${n}" ] || jobs=${n}
        tts_split "${logdir}/all.keys" "${logdir}/keys" "${jobs}"
        ${train_cmd} "${logdir}/config.log" \
            "${python}" -m silvertalk.bin.tts_config --exp_dir "${tts_exp}" --out "${logdir}/config.yaml"
        echo "${jobs}" >"${logdir}/jobs.new" && mv "${logdir}/jobs.new" "${logdir}/jobs"
    fi
    jobs=$(<"${logdir}/jobs")
    # shellcheck disable=SC2086,SC2016  # the inner script's own variables
    ${train_cmd} --max-jobs-run "${nj}" --num-threads 1 JOB=1:"${jobs}" "${logdir}/tts_inference.JOB.log" \
        bash -c '
            out=$1; shift
            [ ! -f "${out}/.done" ] || exit 0
            rm -rf "${out}" && "$@" --output_dir "${out}" && touch "${out}/.done"' tts_inference \
        "${logdir}/output.JOB" "${python}" -m espnet2.bin.tts_inference \
        --data_path_and_name_and_type "${text},text,text" \
        --key_file "${logdir}/keys.JOB.scp" --model_file "${tts_exp}/${decode_tag}.pth" \
        --train_config "${logdir}/config.yaml" --ngpu 0 --always_fix_seed true
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
