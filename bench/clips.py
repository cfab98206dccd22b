"""What the lip-sync pipeline does to real clips: a table as JSON, and contact sheets to look at.

    python bench/clips.py --generator exp/wav2lip_X --out sheets CLIP...

Every clip says its own sound. Checked are the number of frames, the length, the
place of the sound, and that no pixel outside the mask has changed; the sheet
shows the filmed face above the generated one, enlarged.
"""

import argparse
import json
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from silvertalk.face.mask import mouth_mask
from silvertalk.media import Picture, read_audio, read_pictures
from silvertalk.media.picture import even_box
from silvertalk.media.sound import Sound
from silvertalk.talker.film import FilmTake
from silvertalk.talker.options import RenderOptions
from silvertalk.wav2lip.lipsync import LipSync

RATE = 16000
COLUMNS = 6  # faces of a sheet
SIDE = 320  # pixels of a face on it


def changed_outside(rendering: FilmTake, clip: Path) -> int:
    """Pixels of all three planes that differ from the decoded ones, outside the mask."""
    speaker, options = rendering.faces[0], rendering.options
    count = 0
    pairs = zip(read_pictures(clip, rendering.fps), rendering.pictures(), strict=False)
    for number, (before, after) in enumerate(islice(pairs, len(speaker.track))):
        x1, y1, x2, y2 = even_box(speaker.track.bbox[number])
        inside = np.zeros((before.height + 4000, before.width + 4000), bool)  # a box may reach beyond the picture
        mask = cv2.resize(mouth_mask(speaker.points[number], options.mask_size), (x2 - x1, y2 - y1)) > 0
        inside[2000 + y1 : 2000 + y2, 2000 + x1 : 2000 + x2] = mask
        inside = inside[2000 : 2000 + before.height, 2000 : 2000 + before.width]
        count += int((before.luma != after.luma)[~inside].sum())
        # A colour pixel may change when one of the pixels around it may.
        wide = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5)))[::2, ::2].astype(bool)
        for old, new in zip(before.planes[1:], after.planes[1:], strict=True):
            count += int((old != new)[~wide].sum())
    return count


def sound_shift(clip: Path, result: Path) -> float:
    """Milliseconds by which the sound of the result is later than the clip's."""
    a, b = (read_audio(path, RATE)[0][: 20 * RATE] for path in (clip, result))
    size = 1 << int(np.ceil(np.log2(len(a) + len(b))))
    correlation = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)
    lag = int(np.argmax(correlation))
    return 1000 * (lag - size if lag > size // 2 else lag) / RATE


def sheet(clip: Path, result: Path, rendering: FilmTake) -> np.ndarray:
    """Faces before and after, uint8 BGR."""
    numbers = np.linspace(0.1, 0.9, COLUMNS) * min(rendering.num_frames, rendering.length)
    rows = []
    for path in (clip, result):
        faces = []
        for number, picture in enumerate(read_pictures(path, rendering.fps)):
            if number in numbers.astype(int):
                box = even_box(rendering.faces[0].track.bbox[number])
                faces.append(Picture.crop(picture, box, SIDE))
        rows.append(np.hstack(faces))
    return np.vstack(rows)[..., ::-1]


def examine(lipsync: LipSync, clip: Path, out: Path, options: RenderOptions) -> dict:
    """Render one clip and look at what came out."""
    result = out / f"{clip.stem}.mp4"
    done = lipsync.render_file(clip, clip, result, options)
    rendering = lipsync.open(clip, Sound.from_file(clip), options)
    cv2.imwrite(str(out / f"{clip.stem}.png"), sheet(clip, result, rendering))
    frames = sum(1 for _ in read_pictures(result, done.fps))
    heard, rate = read_audio(result)
    wanted, wanted_rate = read_audio(clip)
    return {
        "clip": clip.name,
        "frames_lacking": done.num_frames - frames,
        "picture_longer_than_sound_frames": round(frames - len(wanted) / wanted_rate * done.fps, 2),
        "sound_longer_ms": round(1000 * (len(heard) / rate - len(wanted) / wanted_rate), 1),
        "sound_later_ms": round(sound_shift(clip, result), 2),
        "changed_outside_mask": changed_outside(rendering, clip),
        "seconds_without_face": round(done.seconds_without_face, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, help="videos with sound")
    parser.add_argument("--generator", required=True, help="folder of stage 10, or checkpoint")
    parser.add_argument("--out", required=True, type=Path, help="folder of the results and sheets")
    parser.add_argument("--quality", default="improved", help="improved or enhanced")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    lipsync = LipSync(arguments.generator, "dlib", "cpu")
    options = RenderOptions(quality=arguments.quality)
    print(json.dumps([examine(lipsync, clip, arguments.out, options) for clip in arguments.clips], indent=1))


if __name__ == "__main__":
    main()
