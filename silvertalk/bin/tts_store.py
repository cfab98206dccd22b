"""A trained voice as a small folder, as the one that comes with Silvertalk."""

from silvertalk.tts.store import store_voice
from silvertalk.utils.cli import worker

get_parser, main = worker(store_voice)


if __name__ == "__main__":
    main()
