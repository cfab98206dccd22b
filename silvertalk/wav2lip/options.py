"""Where the generator is and how it runs; without torch, for command lines."""

from dataclasses import dataclass

from silvertalk.talker.options import RenderOptions, Setup
from silvertalk.training.experiment import newest_experiment


@dataclass
class Wav2LipSetup(Setup, RenderOptions):
    """Lips drawn on a film by Wav2Lip.

    Args:
        wav2lip_exp: Folder of the generator, or a published checkpoint; leave out for the newest in expdir.
        engine: What runs the generator: auto, torch, openvino or onnxruntime.
        precision: auto, fp32, bf16 or fp16.
    """

    rendered = RenderOptions
    wav2lip_exp: str | None = None
    engine: str = "auto"
    precision: str = "auto"

    def talker(self):
        """See ``Setup``."""
        from silvertalk.wav2lip.lipsync import LipSync

        return LipSync(self.weights()[0], self.face_backend, self.device, self.engine, self.precision)

    def weights(self) -> list:
        """See ``Setup``."""
        return [self.wav2lip_exp or newest_experiment(self.expdir, "wav2lip_")]
