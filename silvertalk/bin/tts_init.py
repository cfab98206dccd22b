"""In stage 7 before the training: the model, and a trained voice as its start (--init_tts)."""

from silvertalk.tts.training.finetune import init_voice
from silvertalk.utils.cli import worker

get_parser, main = worker(init_voice)


if __name__ == "__main__":
    main()
