"""Where the generator is and how it runs; without torch, for command lines."""

from dataclasses import dataclass

from silvertalk.talker.options import RenderOptions, Setup
from silvertalk.training.experiment import newest_experiment


@dataclass
class Wav2LipSetup(Setup, RenderOptions):
    """Lips drawn on a film by Wav2Lip.

    Args:
        expdir: Folder of experiments; the newest generator (and voice) in it is used.
        wav2lip_exp: Folder of the generator, or a published checkpoint, instead.
        face_backend: auto, dlib, face_alignment or s3fd.
        device: auto, cpu or cuda.
        engine: What runs the generator: auto, torch, openvino or onnxruntime.
        precision: auto, fp32, bf16 or fp16.
    """

    rendered = RenderOptions
    expdir: str = "exp"
    wav2lip_exp: str | None = None
    face_backend: str = "auto"
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"

    def talker(self):
        """See ``Setup``."""
        from silvertalk.wav2lip.lipsync import LipSync

        return LipSync(self.weights()[0], self.face_backend, self.device, self.engine, self.precision)

    def weights(self) -> list:
        """See ``Setup``."""
        return [self.wav2lip_exp or newest_experiment(self.expdir, "wav2lip_")]
