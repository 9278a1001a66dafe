"""Break picture files of all formats, and read them: only `UnreadableImageError` may come out.

    python benchmarks/fuzz_files.py --files 20000
    python benchmarks/fuzz_files.py --only 4711    # one again, by its number

A file is its number's: what is broken of which picture follows from that. Each is read by a process
of limited memory, which is ended if it takes too long.
"""

import argparse
import io
import random
import sys
import time
import traceback
import warnings
from collections import Counter
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from tqdm import tqdm

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F")
#: Formats of which no file is a picture to Pillow, or that another program decodes.
OTHERS = ("PDF", "EPS", "PALM", "GRIB", "HDF5", "BUFR", "WMF")
#: What a user may set; larger pictures only take longer to be read.
PIXELS = 2**22
SECONDS, BYTES = 10, 4 * 2**30


def samples() -> dict[str, bytes]:
    """A small picture in every format and mode that can be written and read again, by name."""
    Image.init()
    shades = np.random.default_rng(0).integers(0, 256, (24, 32), dtype=np.uint8)
    grey = Image.fromarray(shades)
    colour = Image.merge("RGB", [grey, grey.rotate(90), grey.rotate(180)]).resize((32, 24))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    found = {}
    for container in sorted(set(Image.SAVE) - set(OTHERS)):
        for mode in MODES:
            if mode == "F":
                image = Image.fromarray(shades / np.float32(255))
            elif mode.startswith("I"):
                image = Image.fromarray(shades.astype(np.uint16) * 257).convert(mode)
            elif mode in ("L", "LA", "1"):
                image = grey.convert(mode)
            else:
                image = colour.convert("RGBA" if mode == "LAB" else mode)
            for options in ({"exif": exif}, {}):
                try:
                    file = io.BytesIO()
                    image.save(file, container, **options)
                    with Image.open(io.BytesIO(file.getvalue())) as again:
                        again.load()
                except Exception:  # a mode, or an option, that the format does not have
                    continue
                found[f"{container} {mode}"] = file.getvalue()
                break
    return found


def broken(content: bytes, draw: random.Random) -> bytes:
    """The content with some bytes changed, cut off, left out, moved, or put in."""
    kept, at = bytearray(content), draw.randrange(len(content))
    length = draw.choice((1, 2, 4, 16, 64))
    action = draw.choice(("flip", "header", "header", "cut", "drop", "repeat", "fill", "insert"))
    if action in ("flip", "header"):
        end = len(kept) if action == "flip" else min(len(kept), 256)
        for _ in range(draw.choice((1, 1, 2, 4, 8))):
            kept[draw.randrange(end)] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
    elif action == "cut":
        del kept[at:]
    elif action == "drop":
        del kept[at : at + length]
    elif action == "repeat":
        kept[at:at] = kept[max(0, at - length) : at]
    elif action == "fill":
        kept[at : at + length] = bytes([draw.choice((0, 255))]) * length
    else:
        kept[at:at] = draw.randbytes(length)
    return bytes(kept)


def case(number: int, pictures: dict[str, bytes]) -> tuple[str, bytes]:
    """Name and content of a broken file."""
    draw = random.Random(number)
    name = draw.choice(sorted(pictures))
    content = pictures[name]
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        content = broken(content, draw) or b"\0"
    return name, content


def outcome(path: Path) -> str:
    """What became of a file: "read", "refused", or else what is wrong."""
    from spitgraph.images import UnreadableImageError, load_image

    try:
        image = load_image(path)
    except UnreadableImageError as error:
        return "refused" if str(path) in str(error) else f"not named: {error}"
    except BaseException:
        return traceback.format_exc()
    low, high = image.min().item(), image.max().item()
    good = image.shape[0] == 3 and 0 <= low <= high <= 1
    return "read" if good else f"read as {list(image.shape)} from {low} to {high}"


def work(connection) -> None:  # type: ignore[no-untyped-def]
    """Read what comes through a connection, number by number."""
    import resource  # of Unix alone

    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = PIXELS
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    pictures = samples()
    with TemporaryDirectory() as folder:
        path = Path(folder, "broken")
        connection.send(len(pictures))
        while (number := connection.recv()) is not None:
            name, content = case(number, pictures)
            path.write_bytes(content)
            found = outcome(path)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            connection.send((name, found, peak))


class Reader:
    """A process that reads files; another takes its place when it is ended."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=work, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.num_pictures = self.connection.recv()

    def read(self, number: int) -> tuple[str, str, int] | None:
        """Name, outcome, and the most memory so far; None if it ended, or had to be."""
        try:
            self.connection.send(number)
            if self.connection.poll(SECONDS):
                return self.connection.recv()
        except (EOFError, OSError):
            pass
        self.close()
        return None

    def close(self) -> None:
        self.process.kill()
        self.process.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--only", type=int, help="a file's number")
    args = parser.parse_args()
    numbers = range(args.first, args.first + args.files)
    if args.only is not None:
        numbers = [args.only]
    started, reader = time.monotonic(), Reader()
    counts, wrong, most, slowest = Counter(), [], 0, (0.0, "", 0)
    for number in tqdm(numbers, unit="file", disable=None):
        begun = time.monotonic()
        result = reader.read(number)
        if result is None:
            wrong.append((number, f"the process ended, or took more than {SECONDS} s"))
            reader = Reader()
            continue
        name, found, peak = result
        slowest = max(slowest, (time.monotonic() - begun, name, number))
        most = max(most, peak)
        if found in ("read", "refused"):
            counts[found] += 1
        else:
            wrong.append((number, f"{name}: {found}"))
    reader.close()
    print(
        f"{len(numbers)} files of {reader.num_pictures} pictures in "
        f"{time.monotonic() - started:.0f} s: {counts['read']} read, {counts['refused']} refused, "
        f"{len(wrong)} wrong; at most {most / 2**20:.0f} MiB; slowest {slowest[0]:.2f} s "
        f"({slowest[1]}, number {slowest[2]})"
    )
    for number, what in wrong:
        print(f"number {number}: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
