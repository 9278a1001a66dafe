"""CIFAR-10 as `spitgraph train` takes it: a folder of train.npz and test.npz.

    python tools/cifar10.py FOLDER [--archive cifar-10-python.tar.gz]

Without --archive, it is downloaded (163 MB) from where its authors keep it (Krizhevsky 2009).
"""

import argparse
import pickle
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from torch.hub import download_url_to_file

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
SPLITS = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}


def main() -> None:
    parser = argparse.ArgumentParser(description="CIFAR-10 as two .npz files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--archive", type=Path, help="one that is there already")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        archive = args.archive
        if archive is None:
            archive = Path(made, "cifar.tar.gz")
            download_url_to_file(URL, str(archive), hash_prefix=SHA256)
        args.folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as files:
            for split, names in SPLITS.items():
                write(args.folder / f"{split}.npz", [part(files, name) for name in names])


def part(files: tarfile.TarFile, name: str) -> dict:
    """One of the archive's pickles: arrays and lists, of known origin."""
    file = files.extractfile(f"cifar-10-batches-py/{name}")
    assert file is not None
    return pickle.load(file, encoding="bytes")


def write(path: Path, parts: list[dict]) -> None:
    """Pictures [n, 32, 32, 3] and their labels."""
    images = np.concatenate([part[b"data"] for part in parts]).reshape(-1, 3, 32, 32)
    labels = np.concatenate([part[b"labels"] for part in parts])
    unfinished = path.with_suffix(".part")
    with open(unfinished, "wb") as file:
        np.savez(file, images=images.transpose(0, 2, 3, 1), labels=labels.astype(np.int64))
    unfinished.replace(path)


if __name__ == "__main__":
    main()
