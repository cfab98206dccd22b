"""The ``silvertalk`` command."""

import contextlib
import logging
import sys
from dataclasses import dataclass, fields
from pathlib import Path

from silvertalk.makeittalk.options import CartoonOptions, PortraitOptions
from silvertalk.tts.options import SpeakOptions
from silvertalk.utils.cli import make_parser, run_subcommand
from silvertalk.wav2lip.options import RenderOptions

STANDARD_OUTPUT = "-"


def _part(kind: type, options):
    """The options of a parent dataclass, without what a command adds."""
    return kind(**{field.name: getattr(options, field.name) for field in fields(kind)})


@dataclass
class CommandOptions(RenderOptions):
    """What the commands that render have in common.

    Args:
        expdir: Folder of experiments; the newest generator (and voice) in it is used.
        wav2lip_exp: Folder of the generator, or a published checkpoint, instead.
        face_backend: auto, dlib, face_alignment or s3fd.
        device: auto, cpu or cuda.
        engine: What runs the generator: auto, torch, openvino or onnxruntime.
        precision: auto, fp32, bf16 or fp16.
    """

    expdir: str = "exp"
    wav2lip_exp: str | None = None
    face_backend: str = "auto"
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"

    def rendering(self) -> RenderOptions:
        """How to render, without the models."""
        return _part(RenderOptions, self)

    def generator(self):
        """Where the generator is."""
        from silvertalk.training.experiment import newest_experiment

        return self.wav2lip_exp or newest_experiment(self.expdir, "wav2lip_")

    def how_to_run(self) -> dict:
        """Options of ``LipSync``."""
        return _how_to_run(self)

    def renderer(self):
        """Load the generator."""
        from silvertalk.wav2lip.lipsync import LipSync

        return LipSync(self.generator(), **self.how_to_run())


@dataclass
class PortraitCommandOptions(PortraitOptions):
    """What the commands that animate a photo have in common.

    Args:
        expdir: Folder of experiments; the newest networks (and voice) in it are used.
        autovc_exp: Folder of the voice conversion, or a published checkpoint, instead.
        content_exp: The same of the content branch.
        speaker_exp: The same of the speaker-aware branch.
        translation_exp: The same of the image translation.
        statistics: Statistics of stage 11, or a copy of the published code; leave out for those of the content branch.
        img_size: Side of the portrait that is drawn, pixels; leave out for what the image translation was trained on.
        refine: wav2lip: its generator draws the lips once more.
        wav2lip_exp: Folder of that generator, or a published checkpoint; leave out for the newest in expdir.
        face_backend: auto, dlib, face_alignment or s3fd.
        device: auto, cpu or cuda.
        engine: What runs the image translation: auto, torch, openvino or onnxruntime.
        precision: auto, fp32, bf16 or fp16.
    """

    expdir: str = "exp"
    autovc_exp: str | None = None
    content_exp: str | None = None
    speaker_exp: str | None = None
    translation_exp: str | None = None
    statistics: str | None = None
    img_size: int | None = None
    refine: str | None = None
    wav2lip_exp: str | None = None
    face_backend: str = "auto"
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"

    def rendering(self) -> PortraitOptions:
        """How to render, without the models."""
        return _part(PortraitOptions, self)

    def renderer(self):
        """Load the networks."""
        from silvertalk.pipeline.refine import load_portrait

        networks = {name: getattr(self, f"{name}_exp") for name in ("autovc", "content", "speaker", "translation")}
        options = {"statistics": self.statistics, "img_size": self.img_size, **_how_to_run(self)}
        return load_portrait(self.expdir, self.refine, self.wav2lip_exp, **networks, **options)


def _how_to_run(options) -> dict:
    """Options of ``LipSync`` and ``Portrait``."""
    return {
        "backend": options.face_backend,
        "device": options.device,
        "engine": options.engine,
        "precision": options.precision,
    }


@dataclass(frozen=True)
class VoiceCommandOptions(SpeakOptions):
    """What tts adds to how a voice speaks.

    Args:
        loudness: Wanted loudness in LUFS (ITU-R BS.1770), -60 to -6; null leaves the sound as the voice makes it.
        expdir: Folder of experiments; the newest voice in it is used, without one the English voice of the package.
        exp: Folder of the voice, instead.
        device: auto, cpu or cuda.
        engine: What runs the vocoder of JETS: auto, torch, openvino or onnxruntime.
        precision: auto, fp32, bf16 or fp16; with --engine torch --precision fp32 the sound is ESPnet's.
        num_threads: Threads on the processor; 0: one per core.
    """

    loudness: float | None = -23.0
    expdir: str = "exp"
    exp: str | None = None
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    num_threads: int = 0

    def speaking(self) -> SpeakOptions:
        """How to speak, without the voice."""
        return _part(SpeakOptions, self)

    def voice(self):
        """Load the voice."""
        from silvertalk.tts.default import load_voice

        options = {"engine": self.engine, "precision": self.precision, "num_threads": self.num_threads}
        return load_voice(self.expdir, self.exp, self.device, **options)


def tts(
    out: str,
    text: str | None = None,
    file: str | None = None,
    stream: bool = False,
    captions: list[str] | None = None,
    timings: str | None = None,
    **options,
) -> None:
    """Speak a text of any length.

    Args:
        out: The sound file to write: .wav, .flac, .ogg or .mp3; - for standard output (WAV).
        text: What to say; every line is a paragraph.
        file: UTF-8 text to say, instead; - for standard input.
        stream: Write WAV that can be played while it grows.
        captions: Captions to write, too: names that end in .srt or .vtt.
        timings: When each phoneme or character is said: a name that ends in .tsv or .json.
        **options: The voice, and how it speaks.
    """
    from silvertalk.tts.captions import check_names
    from silvertalk.tts.speech_file import read_text_file, speak_to

    if (text is None) == (file is None):
        raise ValueError("give --text or --file, one of them")
    if stream and out != STANDARD_OUTPUT and Path(out).suffix.lower() != ".wav":
        raise ValueError(f"{out}: --stream writes WAV; let the name end in .wav")
    chosen = VoiceCommandOptions(**options)
    check_names(captions or (), timings)
    said = read_text_file(file) if text is None else text
    if not said.strip():
        raise ValueError(f"{file or '--text'}: the text is empty; type a sentence")
    voice = chosen.voice()
    with _target(out, stream) as target:
        sentences = speak_to(voice, said, target, chosen.speaking(), captions or (), timings)
    left_out = sum(bool(sentence.problem) for sentence in sentences)
    done = f"{len(sentences) - left_out} sentences, {sentences[-1].end:.2f} s"
    logging.info("%s: %s, by %s%s", out, done, voice.name, f"; {left_out} left out" if left_out else "")


def say(
    text: str,
    face: str,
    out: str,
    tts_exp: str | None = None,
    speed: float = 1.0,
    captions: list[str] | None = None,
    stream: bool = False,
    model: str = "wav2lip",
    **options,
) -> None:
    """Make a face say a text.

    Args:
        text: What to say.
        face: Video, photo, folder of pictures or avatar; of a video makeittalk takes the first usable frame.
        out: The mp4 to write; - for standard output.
        tts_exp: Folder of the voice; leave out for the newest in expdir, or the English voice of the package.
        speed: Factor on the rate of speech, 0.25 to 4; 0.8 is slower.
        captions: Captions to write, too: names that end in .srt or .vtt.
        stream: Write fragmented mp4, which can be played while it grows.
        model: wav2lip: the lips of the face move; makeittalk: a photo moves.
        **options: Models, and how to render.
    """
    from silvertalk.pipeline import TalkingFace
    from silvertalk.tts.captions import check_names
    from silvertalk.tts.default import load_voice

    check_names(captions or (), None)
    speaking = SpeakOptions(speed=speed)
    if model == "makeittalk":
        _refuse_options_of(options, CommandOptions, PortraitCommandOptions, "wav2lip")
        chosen = PortraitCommandOptions(**options)
    elif model == "wav2lip":
        _refuse_options_of(options, PortraitCommandOptions, CommandOptions, "makeittalk")
        chosen = CommandOptions(**options)
    else:
        raise ValueError(f"model '{model}' is none of wav2lip, makeittalk")
    renderer = chosen.renderer()  # the quicker one to miss something
    talking_face = TalkingFace(load_voice(chosen.expdir, tts_exp, chosen.device), renderer)
    with _target(out, stream) as target:
        _report(talking_face.say(text, face, target, chosen.rendering(), speaking, captions or ()))


def _refuse_options_of(given: dict, other: type, mine: type, model: str) -> None:
    """Name an option that only the other model has."""
    foreign = {field.name for field in fields(other)} - {field.name for field in fields(mine)}
    for name in given:
        if name in foreign:
            raise ValueError(f"--{name} is an option of --model {model} only")


def portrait(
    image: str,
    audio: str,
    out: str,
    stream: bool = False,
    **options,
) -> None:
    """Make a photo move and say the sound of a file.

    Args:
        image: Photo; of a video its first usable frame is taken.
        audio: Sound file, or a video whose sound is meant.
        out: The mp4 to write; - for standard output.
        stream: Write fragmented mp4, which can be played while it grows.
        **options: Models, and how to render.
    """
    chosen = PortraitCommandOptions(**options)
    render, renderer = chosen.rendering(), chosen.renderer()
    with _target(out, stream) as target:
        _report(renderer.animate(image, audio, target, render))


@dataclass
class CartoonCommandOptions(CartoonOptions):
    """Networks that move a puppet, and how it is rendered.

    Args:
        expdir: Folder of experiments; the newest networks in it are used.
        autovc_exp: Folder of the voice conversion, or a published checkpoint, instead.
        content_exp: The same of the content branch.
        speaker_exp: The same of the speaker-aware branch.
        statistics: Statistics of stage 11, or a copy of the published code; leave out for those of the content branch.
        device: cpu or cuda.
    """

    expdir: str = "exp"
    autovc_exp: str | None = None
    content_exp: str | None = None
    speaker_exp: str | None = None
    statistics: str | None = None
    device: str = "cpu"

    def rendering(self) -> CartoonOptions:
        """How to render, without the models."""
        return _part(CartoonOptions, self)

    def renderer(self):
        """Load the networks."""
        from silvertalk.makeittalk.cartoon.cartoon import Cartoon
        from silvertalk.makeittalk.portrait.motion import Motion

        networks = {name: getattr(self, f"{name}_exp") for name in ("autovc", "content", "speaker")}
        return Cartoon(Motion.from_exp(self.expdir, **networks, statistics=self.statistics, device=self.device))


def cartoon(
    puppet: str,
    audio: str,
    out: str,
    background: str | None = None,
    stream: bool = False,
    **options,
) -> None:
    """Make a drawing say the sound of a file.

    Args:
        puppet: Folder of the drawing and its tables (silvertalk puppet make); the picture where it holds several.
        audio: Sound file, or a video whose sound is meant.
        out: The mp4 to write; - for standard output.
        background: Picture to show behind it, stretched to its size; leave out for white.
        stream: Write fragmented mp4, which can be played while it grows.
        **options: Networks, and how to render.
    """
    chosen = CartoonCommandOptions(**options)
    render, renderer = chosen.rendering(), chosen.renderer()
    with _target(out, stream) as target:
        _report(renderer.animate(puppet, audio, target, background, render))


def puppet_make(
    image: str,
    out: str,
    landmarks: str | None = None,
    serve: bool = False,
    inner_lip: bool = False,
    face_backend: str = "auto",
    port: int = 0,
) -> None:
    """Make a puppet of a drawing.

    Args:
        image: The drawing, PNG (best with transparency around it) or JPEG.
        out: Folder to write.
        landmarks: Text file of 68 lines, x y in pixels; leave out to have them detected.
        serve: Place or correct them on a page in the browser; also done where no face is found.
        inner_lip: Let the lips' rims follow the opening: for drawings whose mouth is a mere line.
        face_backend: auto, dlib, face_alignment or s3fd.
        port: Of the page, on this machine only; 0 for any that is free.
    """
    from silvertalk.makeittalk.cartoon.puppet_editor import make_puppet_folder

    make_puppet_folder(image, out, landmarks, serve, inner_lip, face_backend, port)
    logging.info("%s: ready for silvertalk cartoon --puppet", out)


def lipsync(
    face: str,
    out: str,
    audio: str | None = None,
    speakers: list[str] | None = None,
    stream: bool = False,
    preview: int | None = None,
    **options,
) -> None:
    """Make a face say the sound of a file.

    Args:
        face: Video, photo, folder of pictures or avatar.
        out: The mp4 to write, the png for --preview, or - for standard output.
        audio: Sound file, or a video whose sound is meant; leave out for the sound of the face video itself.
        speakers: Several faces with a sound each, CHOICE=SOUND ..., CHOICE as for --select; instead of --audio.
        stream: Write fragmented mp4, which can be played while it grows.
        preview: Number of one frame to render, as a picture.
        **options: Models, and how to render.
    """
    from silvertalk.media.sound import Sound

    chosen = CommandOptions(**options)
    render = chosen.rendering()
    if audio and speakers:
        raise ValueError("give --audio or --speakers, not both")
    sounds = _speakers(speakers) if speakers else {render.select: audio or face}
    if preview is not None:
        _check_picture_name(out)
    renderer = chosen.renderer()
    if preview is not None:
        _write_picture(out, renderer.preview(face, sounds, preview, render))
        return
    with _target(out, stream) as target:
        opened = {choice: Sound.from_file(path) for choice, path in sounds.items()}
        _report(renderer.render_speakers(face, opened, target, render))


def batch(
    face: str,
    audio: str,
    out: str,
    **options,
) -> None:
    """Lip-sync many files; a run that was stopped goes on where it was.

    Args:
        face: Pattern of videos or photos, e.g. "faces/*.mp4"; a single one goes with every sound.
        audio: Pattern of sounds; a single one goes with every face.
        out: Folder of the videos and of manifest.tsv, which says what became of each.
        **options: Models, and how to render.
    """
    from silvertalk.pipeline.batch import MANIFEST, pair_up, render_batch
    from silvertalk.utils.cache import content_key
    from silvertalk.wav2lip.checkpoint import find_generator

    chosen = CommandOptions(**options)
    model_key = content_key(find_generator(chosen.generator()).weights)
    items = render_batch(chosen.renderer, pair_up(face, audio), out, chosen.rendering(), model_key)
    failed = [item.out for item in items if item.status != "done"]
    logging.info("%s: %d done, %d failed", out, len(items) - len(failed), len(failed))
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(items)} failed, the first {failed[0]}; see {out}/{MANIFEST}")


def avatar_make(
    face: str,
    out: str,
    fps: float | None = None,
    start: float = 0.0,
    seconds: float | None = None,
    select: str = "largest",
    face_backend: str = "auto",
) -> None:
    """Prepare a face, so that its first new picture comes at once.

    Args:
        face: Video, photo or folder of pictures.
        out: Folder to make; give it as --face afterwards.
        fps: Frames per second; leave out for those of the video.
        start: First second used.
        seconds: How much of it; leave out for all.
        select: Whose face: largest, a number from the left (0 is the first), x1,y1,x2,y2 in pixels, or a photo.
        face_backend: auto, dlib, face_alignment or s3fd.
    """
    from silvertalk.face.source import make_avatar

    frames = make_avatar(face, out, fps, start, select, seconds, face_backend)
    logging.info("%s: %d frames", out, frames)


def score(
    real: str,
    generated: list[str] | None = None,
    out: str = "scores",
    syncnet_exp: str | None = None,
    syncnet_v2: str | None = None,
    lse_crop: str = "face",
    face_backend: str = "auto",
    device: str = "cpu",
    jobs: int = 1,
) -> None:
    """Score generated videos of any system against the real ones; a run that was stopped goes on where it was.

    Args:
        real: Folder of real videos.
        generated: Folders of generated videos, one for each system; files are matched by name without suffix.
        out: Folder to write: scores.md, lips.tsv (a line for each clip and system), unmatched.tsv, offset.png.
        syncnet_exp: Folder of a trained expert (stage 9), for its distance, confidence and offset.
        syncnet_v2: syncnet_v2.model, or a folder that holds it, for LSE-D and LSE-C.
        lse_crop: What LSE looks at: face (tracked and cut out) or frame (the whole picture, as for LRS2 and LRW).
        face_backend: auto, dlib, face_alignment or s3fd.
        device: cpu or cuda, for the networks that judge synchrony.
        jobs: Processes.
    """
    from silvertalk.evaluate.score_folders import FolderScoring, run_scoring

    if not generated:
        raise ValueError("no --generated folder: name one or more")
    scoring = FolderScoring(
        real=real,
        generated=generated,
        out_dir=out,
        syncnet_exp=syncnet_exp,
        syncnet_v2=syncnet_v2,
        lse_crop=lse_crop,
        face_backend=face_backend,
        device=device,
    )
    print(run_scoring(scoring, jobs))


def score_voice(
    generated: str,
    real: str,
    text: str | None = None,
    out: str = "scores",
    recogniser: str = "auto",
    grammar: str | None = None,
    whisper_model: str | None = None,
    language: str = "auto",
    device: str = "cpu",
) -> None:
    """Score synthetic speech of any system against recordings; a run that was stopped goes on where it was.

    Args:
        generated: Folder of synthetic speech.
        real: Folder of the speaker's recordings; files are matched by name without suffix, but other sentences than the
            recorded ones are scored, too.
        text: What is said: lines of file name and sentence, parted by a space or |; leave out to count no words.
        out: Folder to write: scores.md, voice.tsv (a line for each sentence and kind).
        recogniser: What hears the words: grammar, lm (PocketSphinx's English language model), whisper or none; auto
            takes the best that is there.
        grammar: JSGF file that the sentences follow.
        whisper_model: Folder of Whisper's weights in faster-whisper's layout (model.bin, config.json, tokenizer.json).
        language: Of the text: ko, en, zh, another, or auto (by script).
        device: Of Whisper: cpu or cuda.
    """
    from silvertalk.evaluate.score_voice import Recognition
    from silvertalk.evaluate.voice_folders import score_voices

    print(score_voices(generated, real, text, out, Recognition(recogniser, grammar, whisper_model, language, device)))


def export(model: str, out: str, format: str = "wav2lip") -> None:
    """Write a trained network in a format that other tools read.

    Args:
        model: Experiment folder of a network, or a file of weights, published or exported.
        out: The file to write; of openvino the .xml.
        format: wav2lip (what the published scripts read), safetensors, onnx or openvino for a generator or expert;
            makeittalk (likewise) for a network of MakeItTalk.
    """
    if format == "makeittalk":
        from silvertalk.makeittalk.checkpoint import export_official

        export_official(model, out)
        return
    from silvertalk.wav2lip import export_network

    export_network(model, out, format)


def _speakers(entries: list[str]) -> dict[str, str]:
    """Choices of faces and their sounds."""
    sounds = {}
    for entry in entries:
        choice, equals, sound = entry.rpartition("=")
        if not (equals and choice and sound):
            raise ValueError(f"speaker '{entry}' is not CHOICE=SOUND, e.g. 0=left.wav")
        if choice in sounds:
            raise ValueError(f"speaker '{choice}' has two sounds; give each face one")
        sounds[choice] = sound
    return sounds


@contextlib.contextmanager
def _target(out: str, stream: bool):
    """What to write to: the name of a file that appears when whole, or a stream."""
    if not stream or out == STANDARD_OUTPUT:
        yield out
        return
    file = _GrowingFile(out)
    try:
        yield file
    finally:
        file.close()


class _GrowingFile:
    """A file that is begun with the first byte, so that an older one outlives whatever fails before."""

    def __init__(self, name: str):
        self.name, self._file = name, None

    def write(self, data: bytes) -> int:
        """Append; nothing waits in a buffer of Python's."""
        if self._file is None:
            Path(self.name).parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.name, "wb", buffering=0)  # noqa: SIM115
        return self._file.write(data)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _check_picture_name(out: str) -> None:
    import cv2

    if out != STANDARD_OUTPUT and not cv2.haveImageWriter(out):
        raise ValueError(f"{out}: is no name of a picture; let it end in .png or .jpg")


def _write_picture(out: str, rgb) -> None:
    import cv2

    from silvertalk.utils import atomic_path

    _, data = cv2.imencode(".png" if out == STANDARD_OUTPUT else Path(out).suffix, rgb[..., ::-1])
    if out == STANDARD_OUTPUT:
        sys.stdout.buffer.write(data)
        return
    with atomic_path(out) as temporary:
        temporary.write_bytes(data)


def _report(result) -> None:
    logging.info("%s: %.2f s at %g fps", result.out, result.num_frames / result.fps, result.fps)


COMMANDS = {
    "say": say,
    "tts": tts,
    "lipsync": lipsync,
    "portrait": portrait,
    "cartoon": cartoon,
    "puppet": {"make": puppet_make},
    "batch": batch,
    "score": score,
    "score-voice": score_voice,
    "export": export,
    "avatar": {"make": avatar_make},
}


def get_parser():
    """Return the parser with its subcommands."""
    from jsonargparse import ArgumentParser

    from silvertalk import __version__

    parser = ArgumentParser(prog="silvertalk", description="From a text to a talking face.", version=__version__)
    return add_commands(parser, COMMANDS)


def add_commands(parser, commands: dict):
    """Add subcommands; a dictionary of functions becomes a command with subcommands of its own."""
    from jsonargparse import ArgumentParser

    subcommands = parser.add_subcommands()
    for name, entry in commands.items():
        if isinstance(entry, dict):
            inner = ArgumentParser()
            subcommands.add_subcommand(name, inner, help=f"{', '.join(entry)} {name}s")
            add_commands(inner, entry)
        else:
            subcommands.add_subcommand(name, make_parser(entry), help=entry.__doc__.splitlines()[0])
    return parser


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_subcommand(get_parser(), COMMANDS, cmd)


if __name__ == "__main__":
    sys.exit(main())
