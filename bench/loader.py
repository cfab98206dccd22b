"""Windows a second of the training loader, and of the same loader on the published layout of pictures and sound.

    python bench/loader.py --face_dir dump/face/tr_no_dev [--rounds 5] [--samples 400] [--num_workers 2]
        [--batch_size 16] [--native true] [--work FOLDER]

The dump is exported (silvertalk.bin.preprocessed_export) to
``<dir>/<clip>/{N.jpg,audio.wav}``, its pictures byte for byte, so both hold the
same; or, with --native true, its boxes are cut out of the source videos at
their own size, as the original's preprocess.py leaves them. Reading those, an
item takes what the published datasets take: the folder's listing, a file per
picture, resized, and the whole audio.wav, of which the mel spectrogram is
computed (by ours, which is faster than librosa's). "published" hands floats
over as they do; "layout" hands bytes over as ours does, so that nothing but
where the data lies is compared. All else is the same code: the datasets of
silvertalk.wav2lip, torch's DataLoader.

Warm: everything was read before. Cold: the kernel has forgotten every file
(/proc/sys/vm/drop_caches where that may be written, else posix_fadvise), and
each worker has opened a few clips only. Both loaders take turns; medians of the
rounds, and of the ratios within a round. A second of computing is one of a
core, of the workers and of the process they serve: on a machine that others use
too it says more than the clock does. One JSON object.
"""

import argparse
import collections
import functools
import itertools
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import kaldiio
import numpy as np
import soundfile
import torch
from torch.utils.data import DataLoader, Dataset

from silvertalk.data import read_scp
from silvertalk.data.face_clips import FaceClip, load_face_clips
from silvertalk.face.prepare.preprocessed import export_preprocessed
from silvertalk.media import read_frames, wav2lip_mel
from silvertalk.syncnet import dataset as syncnet
from silvertalk.syncnet.dataset import MIN_CLIP_FRAMES
from silvertalk.wav2lip import dataset as wav2lip

KINDS = {"expert": syncnet.SyncNetDataset, "generator": wav2lip.Wav2LipDataset}
STARTERS = 64  # samples that start the workers


@functools.lru_cache(1)  # of the item at hand; the next is of another clip
def whole_mel(path: Path) -> np.ndarray:
    """Read the sound of a clip and compute all of its mel spectrogram (T, 80)."""
    return wav2lip_mel(soundfile.read(path, dtype="float32")[0]).T


@dataclass
class PublishedClip:
    """A clip in the published layout, with the methods of ``FaceClip`` that the datasets use."""

    utt_id: str
    spk: str
    folder: Path

    @property
    def num_frames(self) -> int:
        """Number of pictures, counted anew as the published datasets do."""
        return sum(name.endswith(".jpg") for name in os.listdir(self.folder))

    def window_starts(self, count: int, voiced: bool = True) -> np.ndarray:
        """All windows."""
        return np.arange(self.num_frames - count + 1)

    def pictures(self, first: int, count: int, img_size: int) -> np.ndarray:
        """Read faces: uint8 (count, img_size, img_size, 3), BGR."""
        pictures = (cv2.imread(str(self.folder / f"{first + k}.jpg")) for k in range(count))
        return np.stack([cv2.resize(picture, (img_size, img_size)) for picture in pictures])

    def mel_window(self, first: int, count: int) -> np.ndarray:
        """Cut mel columns: float32 (1, 80, count)."""
        return FaceClip("", "", "", 0, whole_mel(self.folder / "audio.wav")).mel_window(first, count)


def write_native(face_dir: Path, clip: FaceClip, folder: Path) -> float:
    """Write the pictures of an exported clip anew, at the size they have in the source: the mean of their sides."""
    source, start = (read_scp(face_dir / name)[clip.utt_id] for name in ("source_video.scp", "source_start"))
    boxes = kaldiio.load_mat(read_scp(face_dir / "bbox.scp")[clip.utt_id]).round().astype(int)
    sides = []
    frames = read_frames(source, 25, float(start), float(start) + len(boxes) / 25)
    for number, (frame, (x1, y1, x2, y2)) in enumerate(zip(frames, boxes, strict=False)):
        crop = frame[max(y1, 0) : y2, max(x1, 0) : x2, ::-1]
        cv2.imwrite(str(folder / f"{number}.jpg"), crop)
        sides.append(np.mean(crop.shape[:2]))
    return float(np.mean(sides))


class Floats(Dataset):
    """Another dataset's items as the published datasets hand them over: all the network's input, as floats."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """One item."""
        item = self.dataset[index]
        return (wav2lip if "reference" in item else syncnet).to_float(item)


class Indices(list):
    """A sampler whose indices can be changed between epochs."""


def make_loader(kind: str, name: str, clips: list, num_workers: int, batch_size: int) -> tuple[DataLoader, Indices]:
    """Make a loader as training does."""
    indices = Indices(range(STARTERS))
    dataset = KINDS[kind](clips, 96, 0, augment=True)
    dataset = Floats(dataset) if name == "published" else dataset
    loader = DataLoader(
        dataset, batch_size, sampler=indices, num_workers=num_workers, persistent_workers=True, drop_last=True
    )
    return loader, indices


def cpu_seconds(workers: list[int]) -> float:
    """Seconds that this process and workers, by their numbers, have computed."""
    ticks = 0
    for pid in workers:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def windows_per_second(loader: DataLoader, workers: list[int]) -> tuple[float, float]:
    """Go through an epoch: windows a second, and a second of computing."""
    begun, computed, count = time.perf_counter(), cpu_seconds(workers), 0
    for batch in loader:
        count += len(batch["target" if "target" in batch else "face"])
    return count / (time.perf_counter() - begun), count / (cpu_seconds(workers) - computed)


def forget(folders: list[Path]) -> str:
    """Make the kernel forget the files of folders: how."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
        return "drop_caches"
    except OSError:
        for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
        return "posix_fadvise"


def measure(kind: str, sources: dict[str, list], folders: list[Path], options) -> dict:
    """Measure both layouts in turn."""
    rates = {f"{name} {state}": [] for state in ("cold", "warm") for name in sources}
    how = ""
    for number in range(options.rounds):
        loaders = {}
        for name, clips in sources.items():
            before = {child.pid for child in multiprocessing.active_children()}
            loader, indices = make_loader(kind, name, clips, options.num_workers, options.batch_size)
            collections.deque(loader, 0)  # starts the workers
            workers = [child.pid for child in multiprocessing.active_children() if child.pid not in before]
            loaders[name] = loader, workers
            first = STARTERS + number * (len(clips) + options.samples)
            indices[:] = range(first, first + len(clips))
            how = forget(folders)
            rates[f"{name} cold"].append(windows_per_second(loader, workers))
            indices[:] = range(first + len(clips), first + len(clips) + options.samples)
        for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
            path.read_bytes()
        for name, (loader, workers) in loaders.items():
            rates[f"{name} warm"].append(windows_per_second(loader, workers))
    result = {"caches": how}
    for column, unit in enumerate(("windows a second", "windows a second of computing")):
        medians = {name: statistics.median(pair[column] for pair in pairs) for name, pairs in rates.items()}
        result[unit] = {name: round(value) for name, value in medians.items()}
        for other, state in itertools.product(sources, ("cold", "warm")):
            if other != "dump":
                pairs = zip(rates[f"dump {state}"], rates[f"{other} {state}"], strict=True)
                ratio = statistics.median(ours[column] / theirs[column] for ours, theirs in pairs)
                result[unit][f"dump : {other}, {state}"] = round(ratio, 2)
    return result


def usage(paths: list[Path]) -> tuple[int, int, int]:
    """Bytes, bytes on disk and files."""
    stats = [path.stat() for path in paths]
    return sum(s.st_size for s in stats), sum(512 * s.st_blocks for s in stats), len(stats)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face_dir", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=400, help="windows of a warm round; a cold one has one a clip")
    parser.add_argument("--num_workers", type=int, default=2)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--native", choices=["true", "false"], default="false", help="faces as large as filmed")
    parser.add_argument("--work", help="folder for the exported clips; a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        root = Path(work) / "preprocessed_root"
        export_preprocessed(options.face_dir, root, Path(work) / "filelists")
        clips = load_face_clips(options.face_dir, MIN_CLIP_FRAMES)
        published = [PublishedClip(c.utt_id, c.spk, root / c.spk / c.utt_id.removeprefix(f"{c.spk}-")) for c in clips]
        sides = [clips[0].size()]
        if options.native == "true":
            pairs = zip(clips, published, strict=True)
            sides = [write_native(Path(options.face_dir), clip, theirs.folder) for clip, theirs in pairs]
        arks = {Path(str(c.mel).rpartition(":")[0]) for c in clips}
        ours = [Path(c.video) for c in clips] + sorted(arks)
        theirs = [path for c in published for path in c.folder.iterdir()]
        result = {
            "clips": len(clips),
            "frames": sum(c.num_frames for c in clips),
            "mean side of the published pictures": round(float(np.mean(sides))),
            "stored (bytes, on disk, files)": {"dump": usage(ours), "published": usage(theirs)},
        }
        folders = [root, *{path.parent for path in ours}]
        for kind in KINDS:
            result[kind] = measure(kind, {"published": published, "layout": published, "dump": clips}, folders, options)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
