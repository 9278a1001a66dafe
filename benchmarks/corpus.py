"""Corpora: bytes and time of a row, of a data set, and of tokenising many pictures.

    python benchmarks/corpus.py rows FOLDER [--images 24]
    python benchmarks/corpus.py dataset FOLDER [--rows 100000] [--work DIR]
    python benchmarks/corpus.py throughput FOLDER [--images 2000] [--rounds 3] [--only loop]
    python benchmarks/corpus.py memory [--images 50000] [--work DIR]
    python benchmarks/corpus.py nodes FOLDER [--images 200] [--work DIR]

FOLDER holds photographs, in folders or not. `rows`: what a row takes, by each way to keep its map,
beside the picture's file; times are a process's own, the least of several. `dataset`: opening a
corpus of so many rows, and rows at random. `throughput`: a plain loop that writes the same rows,
`spitgraph tokenize` with and without -j, and `spitgraph tokenize-corpus`, in turns; seconds, and
pictures a second once all processes are there. `memory`: of what a worker does, over many pictures
that are made for it. `nodes`: two nodes of Ray on this machine, of which one is killed midway: the
same rows as one process makes. The last three need spitgraph[cluster].
"""

import argparse
import io
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow
import torch
from PIL import Image

from spitgraph import SuperpixelTokenizer, TokenDataset, warm_up
from spitgraph.corpus import Layout, TokenWriter
from spitgraph.corpus.cluster import layout_of, tokenize_corpus
from spitgraph.corpus.manifest import manifest_of, read
from spitgraph.corpus.maps.code import levels_of_bytes, levels_to_bytes
from spitgraph.corpus.places import Place
from spitgraph.corpus.row import row_of, tokens_of
from spitgraph.corpus.shard import ShardWriter
from spitgraph.corpus.sources import Source
from spitgraph.corpus.writer import part_file, part_name
from spitgraph.train.pictures.folders import ENDINGS

SIDE = 224


def least(work, times=7):
    """The least seconds of this process that something takes."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def files_of(folder, count):
    found = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in ENDINGS)
    return found[:: max(1, len(found) // count)][:count]


def by_runs(label):
    starts = np.flatnonzero(np.diff(label, prepend=-1))
    lengths = np.diff(starts, append=len(label)).astype(np.uint32)
    return lengths.tobytes() + label[starts].astype(np.uint32).tobytes()


def runs_back(content):
    lengths, labels = np.frombuffer(content, np.uint32).reshape(2, -1)
    return np.repeat(labels, lengths).astype(np.int64)


def unpacked_runs(codec, content, length):
    return runs_back(codec.decompress(content, length))


def as_png(label, shape):
    if label.max() >= 2**16:
        return None
    file = io.BytesIO()
    Image.fromarray(label.reshape(shape).astype(np.uint16)).save(file, "PNG")
    return file.getvalue()


def png_back(content):
    return np.asarray(Image.open(io.BytesIO(content))).ravel().astype(np.int64)


def ways(parents, counts, shape):
    """Bytes of each way to keep a map, and how they are read."""
    zstd = pyarrow.Codec("zstd", compression_level=9)
    cluster = levels_of_bytes(levels_to_bytes(parents, counts, shape[1])).cluster
    for what, label in (("tokens", cluster), ("finest level", parents[0])):
        raw = by_runs(label)
        runs = zstd.compress(raw, asbytes=True)
        yield (
            f"{what}: runs, zstd",
            runs,
            partial(unpacked_runs, zstd, runs, len(raw)),
        )
        png = as_png(label, shape)
        if png is not None:
            yield f"{what}: PNG of 16 bits", png, lambda c=png: png_back(c)
        own = levels_to_bytes([label], [len(label), int(label.max()) + 1], shape[1])
        yield f"{what}: references", own, lambda c=own: levels_of_bytes(c)
    every = levels_to_bytes(parents, counts, shape[1])
    yield "all levels: references", every, lambda: levels_of_bytes(every)


def rows(args):
    tokenizer, totals, pixels, own = SuperpixelTokenizer(), {}, 0, 0
    whole = {"row, no pixels": [0, 0.0, 0.0], "row, with the file": [0, 0.0, 0.0]}
    for path in files_of(args.folder, args.images):
        content = path.read_bytes()
        tokens = tokenizer(path)
        height, width = tokens.image_size[0].tolist()
        parents = [parent.numpy() for parent in tokens.parents]
        counts = tokens.tree.image_counts[0]
        pixels, own = pixels + height * width, own + len(content)
        for name, held, back in ways(parents, counts, (height, width)):
            total = totals.setdefault(name, [0, 0.0])
            total[0] += len(held)
            total[1] += least(back)
        for name, layout in zip(whole, (Layout(), Layout(pixels=True)), strict=True):
            row = row_of(tokens, layout, path=path.name, file=content, is_fresh=True)
            size = sum(len(v) for v in row.values() if isinstance(v, bytes))
            whole[name][0] += size + (row["color"].nbytes if "color" in row else 0)
            whole[name][1] += least(lambda r=row, lay=layout: tokens_of(r, lay))
            whole[name][2] += least(
                lambda t=tokens, lay=layout, c=content: row_of(t, lay, file=c, is_fresh=True)
            )
    count = len(files_of(args.folder, args.images))
    print(
        f"{count} pictures of {pixels / count / 1e6:.3f} megapixels; files {own / count:.0f} bytes"
    )
    print("| what is kept | bytes a picture | bits a pixel | read, megapixels/s |")
    print("| --- | ---: | ---: | ---: |")
    for name, (size, spent) in totals.items():
        bits, speed = 8 * size / pixels, pixels / spent / 1e6
        print(f"| {name} | {size / count:.0f} | {bits:.2f} | {speed:.0f} |")
    for name, (size, reads, writes) in whole.items():
        print(
            f"{name}: {size / count:.0f} bytes, {1e3 * reads / count:.2f} ms to read, "
            f"{1e3 * writes / count:.2f} ms to make"
        )


def dataset(args):
    folder = Path(args.work) / "dataset"
    if not folder.exists():
        tokenizer = SuperpixelTokenizer()
        graphs = [
            tokenizer(Image.open(p).convert("RGB").resize((SIDE, SIDE)))
            for p in files_of(args.folder, 40)
        ]
        graphs = [tokens.without_pixels() for tokens in graphs]
        writer = TokenWriter(folder)
        held = [row_of(tokens, writer.layout, is_fresh=True) for tokens in graphs]
        for part in range(-(-args.rows // 4096)):
            with part_file(Place(folder) / part_name(part), writer.layout) as file:
                for row in range(part * 4096, min((part + 1) * 4096, args.rows)):
                    file.add({**held[row % len(held)], "path": f"{row}.jpg"})
    size = sum(path.stat().st_size for path in folder.iterdir())
    start, cpu = time.perf_counter(), time.process_time()
    opened = TokenDataset(folder)
    groups = len(opened.rows.groups)
    print(f"{len(opened)} rows, {groups} row groups, {size / len(opened):.0f} bytes a row")
    print(
        f"opened in {time.perf_counter() - start:.2f} s ({time.process_time() - cpu:.2f} s of CPU)"
    )
    cpu = time.process_time()
    counts = opened.num_tokens
    print(f"num_tokens of all ({counts.sum()}): {time.process_time() - cpu:.2f} s of CPU")
    drawn = random.Random(0)
    for name, order in (
        ("at random", [drawn.randrange(len(opened)) for _ in range(500)]),
        ("in order", range(500)),
        ("shuffled", range(500)),
    ):
        part = opened.shuffled(torch.Generator().manual_seed(0)) if name == "shuffled" else opened
        part[0]
        start, cpu = time.perf_counter(), time.process_time()
        for index in order:
            part[index]
        spent = [
            1e3 * (now() - then) / 500
            for now, then in ((time.process_time, cpu), (time.perf_counter, start))
        ]
        print(f"{name}: {spent[0]:.2f} ms of CPU a row, {spent[1]:.2f} ms")


def copied(args, name):
    """A folder with so many pictures: hard links, again and again if there are too few."""
    place = Path(args.work) / f"{name}-{args.images}"
    if not place.exists():
        place.mkdir(parents=True)
        found = files_of(args.folder, args.images)
        for number in range(args.images):
            path = found[number % len(found)]
            shutil.copyfile(path, place / f"{number:06d}{path.suffix}")
    return place


def seconds(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def loop(pictures, out):
    """What anyone would write: one picture after the other."""
    torch.set_num_threads(1)
    tokenizer = SuperpixelTokenizer()
    with TokenWriter(out) as writer:
        for path in sorted(pictures.iterdir()):
            writer.write(tokenizer(path), path=str(path), file=path.read_bytes())


def throughput(args):
    pictures, out = copied(args, "pictures"), Path(args.work) / "out"
    own = [sys.executable, "-m", "spitgraph"]
    told = {
        "loop over TokenWriter, one thread": [
            sys.executable,
            __file__,
            "loop",
            str(pictures),
            "--work",
            str(out),
        ],
        "spitgraph tokenize --no-pixels": [*own, "tokenize", pictures, "-o", out, "--no-pixels"],
        f"spitgraph tokenize --no-pixels -j {args.workers}": [
            *(*own, "tokenize", pictures, "-o", out, "--no-pixels", "-j", str(args.workers)),
        ],
    }
    for workers in sorted({1, args.workers}):
        told[f"spitgraph tokenize-corpus --workers {workers}"] = [
            *(
                *own,
                "tokenize-corpus",
                pictures,
                out,
                "--workers",
                str(workers),
                "--per-file",
                "128",
            ),
        ]
    if args.only:
        told = {name: words for name, words in told.items() if any(o in name for o in args.only)}
    found = {name: [] for name in told}
    for _ in range(args.rounds):
        for name, command in told.items():
            shutil.rmtree(out, ignore_errors=True)
            found[name].append(seconds(list(map(str, command))))
    # what a start takes, of a folder with one picture
    few = argparse.Namespace(**{**vars(args), "images": 1})
    single = copied(few, "pictures")
    print("| what | s | start | pictures/s without the start |")
    print("| --- | ---: | ---: | ---: |")
    for name, command in told.items():
        shutil.rmtree(out, ignore_errors=True)
        start = seconds([str(part).replace(str(pictures), str(single)) for part in command])
        best = min(found[name])
        print(
            f"| {name} | {best:.1f} | {start:.1f} | {args.images / max(best - start, 1e-9):.0f} |"
        )


def memory(args):
    """Of a process that does what a worker does; it is a worker without Ray around it."""
    folder, out = Path(args.work) / f"made-{args.images}", Path(args.work) / "memory"
    if not folder.exists():
        folder.mkdir(parents=True)
        for number in range(args.images):
            drawn = np.random.default_rng(number)
            small = drawn.integers(0, 256, (9, 9, 3), dtype=np.uint8)
            sides = drawn.integers(48, 160, 2).tolist()
            image = Image.fromarray(small).resize(sides, Image.Resampling.BICUBIC)
            image.save(folder / f"{number:06d}.jpg")
    shutil.rmtree(out, ignore_errors=True)
    manifest, layout = manifest_of(Place(out), Source(folder), 512, {}), Layout()
    writer = ShardWriter(manifest, layout_of(layout, manifest), SuperpixelTokenizer())
    for shard in range(manifest.shards):
        writer.write(shard)
        if shard in (0, 1, 3, 7) or shard % 16 == 15 or shard == manifest.shards - 1:
            with open("/proc/self/statm") as file:
                held = int(file.read().split()[1]) * resource.getpagesize() / 2**20
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            print(
                f"{(shard + 1) * 512} pictures: {held:.0f} MiB, at most {peak:.0f} MiB", flush=True
            )


def nodes(args):
    """Two nodes of Ray on this machine; one of them is killed once there are some files."""
    import ray
    from ray.cluster_utils import Cluster

    pictures, out = copied(args, "nodes"), Path(args.work) / "nodes-out"
    tokenizer = SuperpixelTokenizer()
    for killed in (False, True):
        shutil.rmtree(out, ignore_errors=True)
        cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        other = cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)

        def kill(cluster=cluster, other=other):
            while len(list(out.glob("part-*"))) < 3:
                time.sleep(0.1)
            cluster.remove_node(other, allow_graceful=False)

        if killed:
            threading.Thread(target=kill, daemon=True).start()
        try:
            done = tokenize_corpus(pictures, out, tokenizer, per_file=8, workers=2)
        finally:
            ray.shutdown()
            cluster.shutdown()
        held = {path.name: path.read_bytes() for path in sorted(out.glob("part-*"))}
        manifest = read(Place(out))
        writer = ShardWriter(manifest, layout_of(Layout(), manifest), tokenizer)
        same = 0
        for shard in range(manifest.shards):
            manifest.part(shard).remove()
            writer.write(shard)
            name = Path(manifest.part(shard).path).name
            same += held[name] == (out / name).read_bytes()
        print(
            f"{'one of two nodes killed' if killed else 'two nodes'}: {done}, "
            f"{same} of {manifest.shards} files as by one process"
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", choices=["rows", "dataset", "throughput", "memory", "nodes", "loop"]
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--images", type=int)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="of throughput: names with these words")
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "spitgraph-corpus"
    )
    args = parser.parse_args()
    usual = {"rows": 24, "throughput": 2000, "memory": 50_000, "nodes": 200}
    args.images = args.images or usual.get(args.what)
    warm_up()
    if args.what == "loop":
        loop(args.folder, args.work)
        return
    torch.set_num_threads(1)
    {"rows": rows, "dataset": dataset, "throughput": throughput, "memory": memory, "nodes": nodes}[
        args.what
    ](args)


if __name__ == "__main__":
    main()
