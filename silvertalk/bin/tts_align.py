"""In stage 6 of FastSpeech 2: durations of the tokens, from a trained voice."""

from silvertalk.tts.training.align import align
from silvertalk.utils.cli import worker

get_parser, main = worker(align)


if __name__ == "__main__":
    main()
