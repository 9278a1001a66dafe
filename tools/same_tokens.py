"""Whether this tree makes the same tokens as another commit, bit for bit, and vectors to 1e-6.

    python tools/same_tokens.py COMMIT FOLDER... [--plain]

Every picture in the folders is tokenized by both, in all similarities, features, levels and counts;
their tensors' hashes are compared, and the vectors of its tokens.
"""

import argparse
import hashlib
import os
import pickle
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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

    import spitgraph
    from spitgraph import InterpolationExtractor, SuperpixelTokenizer, kernels

    if not plain and hasattr(kernels, "warm_up"):
        kernels.warm_up()
    told = {"source": str(Path(spitgraph.__file__).parent)}
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
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(tree), options.commit], check=True)
        try:
            told = []
            for source in (tree, ROOT):
                out = Path(folder, f"{len(told)}.pickle")
                subprocess.run(
                    [sys.executable, __file__, options.commit, *map(str, options.folders)]
                    + ["--record", str(out)] + ["--plain"] * options.plain,
                    env={**os.environ, "PYTHONPATH": str(source)},
                    check=True,
                )  # fmt: skip
                told.append(pickle.loads(out.read_bytes()))
                assert told[-1]["source"].startswith(str(source.resolve())), told[-1]["source"]
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)
    return 1 if compare(*told) else 0


if __name__ == "__main__":
    sys.exit(main())
