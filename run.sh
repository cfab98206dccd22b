#!/usr/bin/env bash
# Silvertalk: every stage from a corpus to a face that speaks a typed sentence.
#   ./run.sh                              makes the environment, then all stages on the mini corpus
#   ./run.sh --stage syncnet --stop_stage wav2lip    some stages again, by name or number (--stage list shows both)
#   egs/<corpus>/<task>/run.sh --db_root /where/it/is       the same stages on another corpus
#
# A corpus without video skips 3 and 9 to 15, one without transcripts skips 5 to 8.
# A finished stage is not done again; one whose options changed says so and stops.
# shellcheck disable=SC2034  # options are read by the sourced files too
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# -- Which stages
stage=1                     # first stage: number or name; list prints them
stop_stage=17               # last stage, the same
overwrite=false             # true: remove what the asked stages made before and do them again
continue_changed=false      # true: let a stage go on although its options changed (to train longer)
nj=$(nproc)                 # jobs at a time; on a cluster give it
ngpu=0                      # GPUs for training, of each machine; 0 trains on the CPU
num_nodes=1                 # machines for training; more than one needs a Slurm backend in cmd.sh

# -- Where
workdir=${root}             # data/, dump/ and exp/ are made here, unless they are named below
datadir=data                # Kaldi data directories
dumpdir=dump                # prepared audio and faces
expdir=exp                  # models and what they made
db_root=                    # the corpus as it was published (mini needs none)
download=false              # true: fetch the corpus from its own site into db_root

# -- Corpus
corpus=mini                 # name in logs and results
local_data=${root}/egs/mini/av1/local/data.sh  # makes the data directories in stage 1
local_data_opts=            # more options for it
min_wav_duration=0.5        # seconds; shorter utterances are dropped in stage 4
max_wav_duration=20.0       # seconds; longer ones too
min_peak=-80.0              # dBFS; utterances that are nowhere louder, too
max_clipping=1.0            # share of samples, 0 to 1; utterances of which more was cut off at full scale, too

# -- Features
fs=16000                    # sampling rate of the voice, Hz
n_fft=1024                  # points
hop_length=256              # points
audio_format=flac           # flac or wav, a file for each utterance; flac.ark or wav.ark, Kaldi archives
audio_channel=              # number of the only channel used of recordings with several, from 1 [all are mixed]
trim_silence=true           # cut silence at both ends of each utterance, but for 0.1 s
level=none                  # dB to which the speech of each recording is brought (root mean square, -23), or none: as recorded
face_input=video            # video, or mouth: the pictures show mouths only, which serve the expert (1-4, 9)
face_backend=auto           # auto, face_alignment, dlib or s3fd
face_size=96                # side of the stored face, pixels
face_select=speaking        # of several faces: speaking (the one that moves with the sound), or largest
sync_group=spk              # one audio-video offset per spk, per utt (long or mixed recordings), or none
sync_expert=                # experiment of a trained expert (stage 9) that helps to measure the offsets in stage 4
syncnet_v2=                 # without one: the published syncnet_v2.model, or a folder that may hold it
sync_filter_args=           # more options for what stage 4 drops, as "--limits.min_confidence 0.05"
use_sid=false               # true: a voice of several speakers, told apart by numbers
use_lid=false               # true: of several languages, by utt2lang or the script of each transcript
use_spk_embed=false         # true: of several speakers, described by resemblyzer's embeddings
token_type=char             # char or phn [mini: phn]
srctexts=                   # more texts for the token list than the training set's, as "data/dev/text" (utterance id, text)
cleaner=none                # ESPnet's text cleaner
g2p=none                    # grapheme-to-phoneme converter, for phn: ESPnet's names, espeak, or auto (by language)
language=auto               # of the transcripts: ko, en, zh, another of eSpeak NG's, or auto (by script)
normalise=none              # auto: numbers, dates, symbols and letters become words, in transcripts and in what is said

# -- Models
tts_config=${root}/conf/mini/train_jets.yaml         # the voice: train_jets, train_vits, train_tacotron2 or train_fastspeech2
tts_task=auto               # ESPnet's task: gan_tts (JETS, VITS), tts (Tacotron 2, FastSpeech 2), or auto (by tts_config)
tts_train_args=             # more options for ESPnet's training, as "--max_epoch 20"
tts_stats_dir=              # folder of stage 6 [from the features, token_type, cleaner and g2p]
teacher_exp=                # FastSpeech 2 only: a trained voice (Tacotron 2, JETS or VITS) that gives the durations
tts_pretrain_config=        # JETS only: its halves are trained apart first; PART stands for mel and vocoder (egs/kathleen)
init_tts=                   # checkpoint (.pth) or folder of a voice of the same model to fine-tune [mini: the English one of the package]
tts_spk=main                # speaker whose voice is learnt; main: the one with most utterances; empty: all
                            # [all with use_sid or use_spk_embed]
tts_exp=                    # its folder [from tts_config]; one outside expdir is used as it is
decode_tag=                 # its checkpoint to speak with, without .pth, as latest [train.total_count.ave or train.loss.ave, by task]
decode_sets="dev eval1"     # what stage 8 speaks; tr_no_dev is possible, too
tts_decode_args=            # more options for ESPnet's decoding, as "--use_att_constraint true"
use_teacher_forcing=false   # true: stage 8 speaks with the recording before it (mel models; to train a vocoder on)
vocoder_file=               # mel models: a ParallelWaveGAN checkpoint (.pkl) instead of Griffin-Lim
syncnet_config=${root}/conf/mini/train_syncnet.yaml  # the lip expert
syncnet_train_args=         # more options for its training
init_syncnet=               # checkpoint (e.g. lipsync_expert.pth) or experiment of an expert to fine-tune
syncnet_finetune_config=${root}/conf/finetune_syncnet.yaml  # instead of syncnet_config then
syncnet_exp=                # its folder [from syncnet_config]; one outside expdir is used as it is
wav2lip_config=${root}/conf/mini/train_wav2lip.yaml  # the face
wav2lip_train_args=         # more options for its training
init_wav2lip=               # checkpoint (e.g. wav2lip.pth) or experiment of a generator to fine-tune
wav2lip_finetune_config=${root}/conf/finetune_wav2lip.yaml  # instead of wav2lip_config then
wav2lip_exp=                # its folder [from wav2lip_config]; one outside expdir is used as it is

# -- The portrait (MakeItTalk)
portrait=true               # false: stages 11 to 14, and portraits in 15 and 16, are left out
portrait_config=${root}/conf/mini/train_makeittalk_MODEL.yaml  # of all four; MODEL stands for autovc, content, speaker, translation
portrait_size=256           # side of the stored portraits, pixels; the translation's size divides it
portrait_statistics=        # of published weights: a copy of the published code [computed from the training set]
awing_weights=              # WFLW_4HG.pth: stage 11 also finds its 98 points, for a translation of 74 points
autovc_config=              # what is said without who says it [from portrait_config]
autovc_train_args=          # more options for its training
init_autovc=                # checkpoint or experiment to fine-tune
autovc_exp=                 # its folder [from autovc_config], or a published ckpt_autovc.pth; outside expdir it is used as it is
content_config=             # lips from sound [from portrait_config]
content_train_args=         # more options for its training
init_content=               # checkpoint (e.g. ckpt_content_branch.pth) or experiment to fine-tune
content_exp=                # its folder [from content_config]; one outside expdir is used as it is
speaker_config=             # head and manner from sound and speaker [from portrait_config]
speaker_train_args=         # more options for its training
init_speaker=               # checkpoint (e.g. ckpt_speaker_branch.pth) or experiment to fine-tune
speaker_exp=                # its folder [from speaker_config]; one outside expdir is used as it is
translation_config=         # pictures from landmarks and a photo [from portrait_config]
translation_train_args=     # more options for its training
init_translation=           # checkpoint (e.g. ckpt_116_i2i_comb.pth) or experiment to fine-tune
translation_exp=            # its folder [from translation_config]; one outside expdir is used as it is

# -- The result
talkers="wav2lip makeittalk"  # faces of stages 15 and 16; NAME, or NAME=FOLDER, of another package's talker works as well
say_text="good morning zoe please call the doctor"  # what the face says in the end; empty: a test sentence
say_face=                   # photo or video of the face that says it [the first of eval1]
grammar=                    # JSGF file that the sentences follow, for the recogniser of stage 16 [mini has one]
recogniser=auto             # what counts understood words in stage 16: grammar, lm (English), whisper or none; auto: the best there is
whisper_model=              # folder of Whisper's weights in faster-whisper's layout, for any language

# shellcheck source=local/common.sh
. "${root}/local/common.sh"
parse_options "$@"
absolute_paths workdir datadir dumpdir expdir db_root local_data say_face \
    grammar whisper_model tts_config tts_exp tts_stats_dir teacher_exp init_tts tts_pretrain_config vocoder_file syncnet_config syncnet_exp wav2lip_config wav2lip_exp \
    init_syncnet syncnet_finetune_config init_wav2lip wav2lip_finetune_config \
    portrait_config portrait_statistics awing_weights init_autovc init_content init_speaker init_translation \
    autovc_config content_config speaker_config translation_config autovc_exp content_exp speaker_exp translation_exp

if [ "${corpus}" = mini ]; then
    grammar=${grammar:-${root}/egs/mini/av1/conf/mini.gram}
    # A voice that can speak already learns its few sentences in no time. Who asks for another one gets just that.
    asked=
    for name in tts_config init_tts token_type g2p cleaner language; do asked+=${option_given[${name}]:-}; done
    [ -n "${asked}" ] || { token_type=phn && g2p=auto && language=en && init_tts=${root}/silvertalk/voices/en_kathleen; }
fi

for name in init_tts init_syncnet init_wav2lip init_autovc init_content init_speaker init_translation; do
    [[ -z ${!name} || -e ${!name} ]] || die "no ${!name}; give --${name} a checkpoint or the folder of a training"
done
talkers=$(for name in ${talkers}; do
    [[ ${name} != *=* ]] || name=${name%%=*}=$(realpath -m "${name#*=}")
    printf '%s ' "${name}"
done)
srctexts=$(for text in ${srctexts}; do printf '%s ' "$(realpath -m "${text}")"; done)
[[ ${use_sid}${use_spk_embed} != *true* || -n ${option_given[tts_spk]:-} ]] || tts_spk=
[ -z "${init_syncnet}" ] || syncnet_config=${syncnet_finetune_config}
[ -z "${init_wav2lip}" ] || wav2lip_config=${wav2lip_finetune_config}

[ "${stage}" -ge 1 ] || die "--stage ${stage}: stages start at 1"
[ "${stage}" -le "${stop_stage}" ] || die "--stage ${stage} lies after --stop_stage ${stop_stage}"
[ "${nj}" -ge 1 ] || die "--nj ${nj}: at least one job is needed"
[ "${ngpu}" -ge 0 ] || die "--ngpu ${ngpu}: give 0 to train on the CPU"
[ "${num_nodes}" -ge 1 ] || die "--num_nodes ${num_nodes}: at least one machine is needed"
[[ ${audio_format} =~ ^(flac|wav)(\.ark)?$ ]] || die "--audio_format takes flac, wav, flac.ark or wav.ark, not '${audio_format}'"
[[ ${audio_channel} =~ ^([1-9][0-9]*)?$ ]] || die "--audio_channel takes a number from 1, not '${audio_channel}'"
[[ ${level} =~ ^(none|-[0-9]+(\.[0-9]+)?)$ ]] || die "--level takes none, or dB below full scale as -23, not '${level}'"
[[ ${token_type} =~ ^(char|phn)$ ]] || die "--token_type takes char or phn, not '${token_type}'"
[[ ${normalise} =~ ^(none|auto)$ ]] || die "--normalise takes none or auto, not '${normalise}'"
[[ ${face_select} =~ ^(speaking|largest)$ ]] || die "--face_select takes speaking or largest, not '${face_select}'"
[[ ${recogniser} =~ ^(auto|grammar|lm|whisper|none)$ ]] || die "--recogniser takes auto, grammar, lm, whisper or none"
[[ ${sync_group} =~ ^(spk|utt|none)$ ]] || die "--sync_group takes spk, utt or none, not '${sync_group}'"
[[ ${face_input} =~ ^(video|mouth)$ ]] || die "--face_input takes video or mouth, not '${face_input}'"
[ "${face_input}" = video ] || [ "${stop_stage}" -le 9 ] || die "--face_input mouth serves the expert only: add --stop_stage 9"
[[ ${face_backend} =~ ^(auto|face_alignment|dlib|s3fd)$ ]] || die "--face_backend takes auto, face_alignment, dlib or s3fd"

"${root}/tools/setup_env.sh"
# shellcheck source=path.sh
. "${root}/path.sh"
# shellcheck source=cmd.sh
. "${root}/cmd.sh"
[[ ${num_nodes} -eq 1 || ${cuda_cmd} == *slurm* ]] \
    || die "--num_nodes ${num_nodes}: more than one machine needs Slurm: set SILVERTALK_CMD_BACKEND=slurm; see docs/CLUSTER.md"
# shellcheck source=local/stages.sh
. "${root}/local/stages.sh"
# shellcheck source=local/tts.sh
. "${root}/local/tts.sh"
# shellcheck source=local/makeittalk.sh
. "${root}/local/makeittalk.sh"
{ mkdir -p "${workdir}" && cd "${workdir}"; } || die "cannot use ${workdir}; choose another --workdir"
trap 'report_failure $?' EXIT
# A language that nobody names is that of the transcripts, which stage 1 makes; the folders' names hold the converter.
tts_asks_transcripts || name_experiments
log "${corpus} in ${PWD}, ${nj} jobs, ${ngpu} GPUs"

# What stage 1 needs is asked for only when it has to be done.
data_marker=${datadir}/.done
db_root=${db_root:-$(marker_option "${data_marker}" db_root)}
if stage_begin 1 "${corpus} -> ${datadir}" marker="${data_marker}" \
        options="corpus db_root local_data_opts" output="${datadir}"; then
    # shellcheck disable=SC2086  # options are several words
    "${local_data}" --db_root "${db_root}" --out "${datadir}" --download "${download}" --nj "${nj}" ${local_data_opts}
    for set in ${sets}; do
        need "${datadir}/${set}/utt2spk" 1
        log "${datadir}/${set}: $(wc -l <"${datadir}/${set}/utt2spk") utterances"
    done
    stage_end
fi

! tts_asks_transcripts || name_experiments
find_modalities

audio_marker=${dumpdir}/raw/org/.done
if stage_begin 2 "${datadir} -> ${dumpdir}/raw" marker="${audio_marker}" reads=1:"${data_marker}" \
        options="fs audio_format$(changed_options level trim_silence audio_channel)" output="${dumpdir}/raw/org" output="${dumpdir}/raw/eval1"; then
    for set in ${sets}; do
        need "${datadir}/${set}/wav.scp" 1
        run_sharded audio_dump "${datadir}/${set}" "$(raw_org "${set}")" --fs "${fs}" --audio_format "${audio_format}" \
            --level "${level/none/null}" --trim_silence "${trim_silence}" --channel "${audio_channel:-null}"
        show_skipped "$(raw_org "${set}")/odd_lines.tsv" "lines without a partner in another table"
    done
    stage_end
fi

face_marker=${dumpdir}/face/org/.done
if "${has_video}" && stage_begin 3 "${datadir} -> ${dumpdir}/face/org" marker="${face_marker}" \
        reads=1:"${data_marker}" options="face_input face_backend face_size face_select" output="${dumpdir}/face/org"; then
    for set in ${sets}; do
        need "${datadir}/${set}/video.scp" 1
        run_sharded face_dump "${datadir}/${set}" "${dumpdir}/face/org/${set}" \
            --face_input "${face_input}" --face_size "${face_size}" --face_backend "${face_backend}" --face_select "${face_select}"
        log "faces by $(sed -n 's/.*face backend: //p' "${dumpdir}/face/org/${set}/log/face_dump.1.log")"
    done
    stage_end
fi

filter_marker=${dumpdir}/raw/.done
if stage_begin 4 "${dumpdir}/{raw,face}/org -> ${dumpdir}/{raw,face}" marker="${filter_marker}" \
        reads=2:"${audio_marker}" reads=3:"${face_marker}" \
        options="min_wav_duration max_wav_duration$(changed_options min_peak max_clipping) sync_group sync_expert syncnet_v2 sync_filter_args" \
        output="${dumpdir}/face/sync" \
        output="${dumpdir}/raw/tr_no_dev" output="${dumpdir}/raw/dev" output="${dumpdir}/face/tr_no_dev" \
        output="${dumpdir}/face/dev" output="${dumpdir}/face/eval1"; then
    for set in ${sets}; do
        need "$(raw_org "${set}")/wav.scp" 2
        filter_set "${set}"
    done
    stage_end
fi

token_marker=${token_list%/*}/.done text_options=
if tts_is_spoken; then text_options=" language normalise"; fi
if "${has_text}" && "${trains_voice}" && stage_begin 5 "${dumpdir}/raw/srctexts -> ${token_list}" \
        marker="${token_marker}" reads=4:"${filter_marker}" options="token_type cleaner g2p${text_options}$(changed_options srctexts)" \
        output="${token_list}" output="${dumpdir}/raw/srctexts"; then
    tts_token_list
    stage_end
fi

embed_marker=${dumpdir}/spk_embed/.done embed_reads=()
if "${has_text}" && tts_takes_embeddings; then
    embed_reads=(reads=5:"${embed_marker}")
    if stage_begin 5 "${dumpdir}/raw -> ${dumpdir}/spk_embed" marker="${embed_marker}" reads=4:"${filter_marker}" \
            output="${dumpdir}/spk_embed"; then
        tts_embed_speakers
        stage_end
    fi
fi

stats_marker=${tts_stats_dir}/.done
feature_options=$(changed_options teacher_exp use_sid use_lid use_spk_embed) teacher_reads=()
[ "${tts_features}" = "fbank pitch energy" ] || feature_options+=" tts_features"
[ -z "${teacher_exp}" ] || teacher_reads=(reads=7:"${teacher_exp}/.done")
if "${has_text}" && "${trains_voice}" && stage_begin 6 "${dumpdir}/raw -> ${tts_stats_dir}" \
        marker="${stats_marker}" reads=4:"${filter_marker}" reads=5:"${token_marker}" "${embed_reads[@]}" "${teacher_reads[@]}" \
        options="fs n_fft hop_length tts_spk tts_train_args${feature_options}" output="${tts_stats_dir}"; then
    tts_stats
    stage_end
fi

tts_marker=${tts_exp}/.done
if "${has_text}" && "${trains_voice}" && stage_begin 7 "${tts_stats_dir} -> ${tts_exp}" \
        marker="${tts_marker}" reads=6:"${stats_marker}" config=tts_config options="tts_train_args$(changed_options init_tts tts_pretrain_config)" \
        output="${tts_exp}"; then
    tts_train
    stage_end
fi

speech_marker=${tts_decode_dir}/.done
if "${has_text}" && stage_begin 8 "${tts_exp} -> ${tts_decode_dir}" marker="${speech_marker}" \
        reads=4:"${filter_marker}" reads=7:"${tts_marker}" "${embed_reads[@]}" changed=redo \
        options="$(changed_options decode_sets tts_decode_args vocoder_file)" output="${tts_decode_dir}"; then
    tts_decode
    stage_end
fi

if "${has_video}" && "${trains_expert}"; then
    train_stage 9 syncnet "${dumpdir}/face" reads=4:"${filter_marker}"
fi
if "${has_video}" && "${trains_face}"; then
    train_stage 10 wav2lip "${dumpdir}/face, ${syncnet_exp}" reads=4:"${filter_marker}" reads=9:"${syncnet_exp}/.done"
fi

# The portrait. Stage 11 has two parts: the network that takes the speaker out of the sound, and what it makes of the corpus.
if trains_branch autovc; then
    train_stage 11 autovc "${dumpdir}/face" reads=4:"${filter_marker}"
fi
features_marker=${portrait_dump}/.done
if trains_portrait && stage_begin 11 "${dumpdir}/face, ${autovc_exp} -> ${portrait_dump}" marker="${features_marker}" \
        reads=4:"${filter_marker}" reads=11:"${autovc_exp}/.done" \
        options="autovc_exp portrait_size portrait_statistics awing_weights" output="${portrait_dump}"; then
    portrait_features
    stage_end
fi

for branch in 12:content 13:speaker 14:translation; do
    if trains_branch "${branch#*:}"; then
        train_stage "${branch%:*}" "${branch#*:}" "${portrait_dump}" reads=11:"${features_marker}"
    fi
done

score_reads=()
for name in "${asked_talkers[@]}"; do
    name_talker "${name}"
    decode_talker
    score_reads+=(reads=15:"${talker_dir}/.done")
    # Scores with a marker of their own were made when that talker was the first.
    [ -f "${talker_dir}/scores/.done" ] || score_reads+=(output="${talker_dir}/scores")
done
for name in "${asked_talkers[@]}"; do
    name_talker "${name}"
    if "${has_voice}"; then say_talker; fi
done

score_marker=${score_dir}/.done
if stage_begin 16 "${score_dir%/*} -> ${score_dir}, RESULTS.md" marker="${score_marker}" \
        reads=8:"${speech_marker}" "${score_reads[@]}" \
        options="corpus grammar$(changed_options recogniser whisper_model language)" changed=redo output="${score_dir}"; then
    score
    stage_end
fi

last_words
