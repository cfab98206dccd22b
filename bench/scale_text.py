"""Seconds and memory of every step that only reads and writes Kaldi tables, as one JSON object.

    python bench/scale_text.py [--sizes 100000 1000000]

A synthetic corpus of each size goes through them, every step in a process of
its own. Seconds are wall time without start and imports, memory is the larger
of the process and its helpers; the exponent e is that of seconds ~ size**e
between the first and the last size.
"""

import argparse
import contextlib
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from silvertalk.data import Utterance

SPEAKERS = 997
WORDS = ["good", "morning", "zoe", "please", "call", "the", "doctor", "before", "noon", "bring", "a", "letter"]


def synthetic(size: int):
    """Yield utterances in no useful order: 997 speakers, eight words each, half a second to ten."""
    step = next(k for k in range(size // 3 | 1, size, 2) if math.gcd(k, size) == 1)
    for k in range(size):
        n = k * step % size
        spk = f"spk{n % SPEAKERS:05d}"
        text = " ".join(WORDS[(n * (j + 1)) % len(WORDS)] for j in range(8))
        yield Utterance(f"{spk}-{n:08d}", spk, text, f"/corpus/{spk}/{n:08d}.wav", f"/corpus/{spk}/{n:08d}.mp4")


# Every step is the code that a stage runs; `folder` and `size` are known to it.
STEPS = {
    "write and sort (stage 1)": """
from silvertalk.data import write_data_dir
write_data_dir(folder / "all", synthetic(size))
""",
    "split by speaker (stage 1)": """
from silvertalk.data import iter_data_dir, write_data_dir
from silvertalk.data.corpus import hold_out_speakers
sets = hold_out_speakers(iter_data_dir(folder / "all"), {"dev": 0.05, "eval1": 0.05})
for name in list(sets):
    write_data_dir(folder / name, sets.pop(name))
""",
    "validate (stage 1)": """
from silvertalk.data import validate_data_dir
validate_data_dir(folder / "all")
""",
    "read one job's share of 8 (stages 2, 3)": """
from silvertalk.data import read_data_dir
read_data_dir(folder / "all", 3, 8)
""",
    "merge the parts of 8 jobs (stages 2, 3)": """
from silvertalk.bin.combine_parts import combine
combine(str(folder / "dump"), str(folder / "all"))
""",
    "filter by length (stage 4)": """
from silvertalk.bin.audio_filter import filter_audio
filter_audio(str(folder / "dump"), str(folder / "filtered"), 16000, 0.6)
""",
    "token list (stage 5)": """
from espnet2.bin.tokenize_text import main
main(["--token_type", "char", "-f", "2-", "--input", str(folder / "filtered/text"), "--output", str(folder / "tokens"),
      "--write_vocabulary", "true", "--add_symbol", "<blank>:0", "--add_symbol", "<unk>:1"])
""",
    "usable transcripts (stage 6)": """
from silvertalk.tts.training.usable import Tokens, filter_utterances, speaker_check, text_checks
data = folder / "filtered"
checks = [*text_checks(Tokens(folder / "tokens")), speaker_check(data, "main")]
filter_utterances(data / "text", folder / "keys", folder / "skipped", checks)
""",
}

MEASURE = """
import json, logging, resource, sys, time
from pathlib import Path
from scale_text import synthetic
folder, size = Path(sys.argv[1]), int(sys.argv[2])
logging.disable(logging.WARNING)
code = sys.stdin.read()
exec("\\n".join(line for line in code.splitlines() if line.startswith("from ")))  # imports are not the step
begun = time.monotonic()
exec(code)
seconds = time.monotonic() - begun
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
peak = max(peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)  # sort's
print(json.dumps({"seconds": round(seconds, 2), "peak_mb": round(peak / 1024)}))
"""


def write_parts(folder: Path, size: int) -> None:
    """Write what eight jobs of stage 2 leave."""
    (folder / "dump/parts").mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        jobs = [stack.enter_context(open(folder / f"dump/parts/part.{n + 1}.jsonl", "w")) for n in range(8)]
        for k, u in enumerate(synthetic(size)):
            values = {"wav.scp": u.wav, "utt2num_samples": 8000 + 37 * k % 160000, "utt2spk": u.spk, "text": u.text}
            jobs[k % 8].write(json.dumps({"utt_id": u.utt_id, "values": values}) + "\n")


def measure(size: int) -> dict[str, dict]:
    """Run every step on a corpus of one size."""
    result = {}
    with tempfile.TemporaryDirectory() as name:
        write_parts(Path(name), size)
        for step, code in STEPS.items():
            command = [sys.executable, "-c", MEASURE, name, str(size)]
            here = Path(__file__).parent  # for the import of this file
            done = subprocess.run(command, input=code, capture_output=True, text=True, cwd=here)
            if done.returncode:
                raise RuntimeError(f"{step}: {done.stderr}")
            result[step] = json.loads(done.stdout.splitlines()[-1])
            print(size, step, result[step], file=sys.stderr)
    return result


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000], help="utterances")
    sizes = parser.parse_args().sizes
    results = {size: measure(size) for size in sizes}
    first, last = results[sizes[0]], results[sizes[-1]]
    exponents = {}
    if len(sizes) > 1:
        ratio = math.log(sizes[-1] / sizes[0])
        exponents = {step: round(math.log(last[step]["seconds"] / first[step]["seconds"]) / ratio, 2) for step in STEPS}
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(json.dumps({"machine": machine, "sizes": results, "exponents": exponents}, indent=1))


if __name__ == "__main__":
    main()
