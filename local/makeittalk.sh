#!/usr/bin/env bash
# Sourced by run.sh: stages 11 to 14 of the portrait (MakeItTalk). Functions read run.sh's options and what
# stages.sh has named.
# shellcheck disable=SC2034,SC2154  # variables are set here for run.sh, and by it for here

portrait_models="autovc content speaker translation"

# name_portrait_folders: configuration and experiment of every branch; one that was given and lies outside expdir (or is a
# published checkpoint) is used and never trained.
name_portrait_folders() {
    local model exp config trains
    portrait_networks=()
    for model in ${portrait_models}; do
        exp=${model}_exp config=${model}_config trains=trains_${model}
        printf -v "${trains}" true
        [ -n "${!config}" ] || printf -v "${config}" %s "${portrait_config/MODEL/${model}}"
        if [ -n "${!exp}" ] && is_outside "${!exp}"; then
            [ -e "${!exp}" ] || die "no ${!exp}; give --${exp} the experiment folder of a finished recipe, or a checkpoint"
            printf -v "${trains}" false
        fi
        [ -n "${!exp}" ] || printf -v "${exp}" %s "${expdir}/makeittalk_${model}_$(basename "${!config}" .yaml)"
        portrait_networks+=("--${exp}" "${!exp}")
    done
    [ -z "${portrait_statistics}" ] || portrait_networks+=(--statistics "${portrait_statistics}")
    portrait_dump=${dumpdir}/makeittalk
}

# trains_branch MODEL: whether this recipe trains it.
trains_branch() {
    local trains=trains_$1
    has_portrait && "${!trains}"
}

# trains_portrait: whether any branch behind the features is trained here.
trains_portrait() { trains_branch content || trains_branch speaker || trains_branch translation; }

# has_portrait: whether portraits are decoded; a film of mouths only has none.
has_portrait() { "${has_video}" && "${portrait}" && [ "${face_input}" = video ]; }

# portrait_features: stage 11, dump/face -> dump/makeittalk. The training set comes first: its voice is the target.
portrait_features() {
    local set statistics=() options=(--portrait_size "${portrait_size}" --autovc "${autovc_exp}")
    [ -z "${portrait_statistics}" ] || statistics=(--statistics "${portrait_statistics}")
    [ -z "${awing_weights}" ] || options+=(--awing_weights "${awing_weights}")
    for set in ${sets}; do
        need "${dumpdir}/face/${set}/utt2spk" 4
        run_sharded makeittalk_dump "${dumpdir}/face/${set}" "${portrait_dump}/${set}" "${options[@]}" "${statistics[@]}"
    done
    ${train_cmd} "${portrait_dump}/log/statistics.log" \
        "${python}" -m silvertalk.bin.makeittalk_statistics --train_dir "${portrait_dump}/tr_no_dev" \
        --other_dirs "${portrait_dump}/dev" "${portrait_dump}/eval1" "${statistics[@]}"
}
