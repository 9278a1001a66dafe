"""Whether this tree makes the same tokens as another commit, bit for bit, and vectors to 1e-6.

    python tools/same_tokens.py COMMIT FOLDER... [--plain]

Every picture in the folders is tokenized by both, in all similarities, features, levels and counts;
their tensors' hashes are compared, and the vectors of its tokens.
"""

import argparse
import hashlib
import pickle
import sys
import tempfile
from contextlib import nullcontext
from itertools import product
from pathlib import Path

from two_trees import run, two_trees, warm_up

SUFFIXES = {".jpg", ".jpeg", ".png"}
#: Largest difference of vectors, relatively to max(1, |x|).
TOLERANCE = 1e-6

SETTINGS = [
    {"similarity": similarity, "features": features, "compactness": compactness, **size}
    for similarity, features, compactness, size in product(
        ("distance", "ward", "cosine"),
        ("lab", "spit"),
        (0.0, 0.1),
        ({"levels": 2}, {"levels": 4}, {"num_tokens": 60}, {"num_tokens": 628}),
    )
]


def record(out: Path, pictures: list[Path], plain: bool) -> None:
    """Hashes of all tokens, and some vectors, by the spitgraph that is imported."""
    import numpy as np
    from PIL import Image
    from tqdm import tqdm

    from spitgraph import InterpolationExtractor, SuperpixelTokenizer, kernels

    told = {"source": warm_up()}
    extractor = InterpolationExtractor()
    with kernels.plain() if plain else nullcontext():
        for path in tqdm(pictures, unit="image", disable=None):
            image = np.asarray(Image.open(path).convert("RGB"))
            for settings in SETTINGS:
                tokens = SuperpixelTokenizer(**settings)(image)
                told[path, str(settings)] = hashed(tokens)
            told[path, "vectors"] = extractor(tokens).x.numpy()
    out.write_bytes(pickle.dumps(told))


def hashed(tokens) -> str:
    """SHA-256 of everything that tokens hold."""
    digest = hashlib.sha256()
    for key, value in sorted(tokens.to_dict().items()):
        if key == "token":  # 0 … N − 1, which not every commit keeps
            continue
        digest.update(f"{key} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def compare(one: dict, other: dict) -> int:
    """Print what differs; how much does."""
    different, furthest = 0, 0.0
    for key, value in one.items():
        if key == "source":
            continue
        if key[1] == "vectors":
            scale = abs(value).clip(min=1)
            furthest = max(furthest, float((abs(value - other[key]) / scale).max()))
        elif value != other[key]:
            different += 1
            print("differs:", *key)
    print(f"{len(SETTINGS)} settings, {len(one) // (len(SETTINGS) + 1)} pictures: ", end="")
    print(f"{different} token graphs differ; vectors differ by at most {furthest:.2g}")
    return different + (furthest > TOLERANCE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("commit")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--plain", action="store_true", help="by the plain operations")
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    pictures = sorted(
        path.resolve()
        for folder in options.folders
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES
    )
    if options.record:
        record(options.record, pictures, options.plain)
        return 0
    told = []
    with tempfile.TemporaryDirectory() as folder, two_trees(options.commit) as trees:
        for source in trees:
            out = Path(folder, f"{len(told)}.pickle")
            arguments = [options.commit, *map(str, options.folders), "--record", str(out)]
            run(__file__, source, *arguments, *["--plain"] * options.plain)
            told.append(pickle.loads(out.read_bytes()))
            assert told[-1]["source"] == source.resolve(), told[-1]["source"]
    return 1 if compare(*told) else 0


if __name__ == "__main__":
    sys.exit(main())
