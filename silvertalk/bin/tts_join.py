"""Before stage 7: the halves of JETS that were trained apart, as one."""

from silvertalk.tts.training.pretrain import join
from silvertalk.utils.cli import worker

get_parser, main = worker(join)


if __name__ == "__main__":
    main()
