"""The page that `spitgraph inspect` writes: seconds, bytes, and how fast it answers in Chromium.

    python benchmarks/page.py PICTURES [--limit N] [--megapixels 12]

Seconds are those of the whole command, process start included. Bytes are held against three times
the picture's plus 300,000. Hover: the pointer goes to 300 random places, one after the other. What
counts is the event's handler, which draws the outline, and the frame that follows it, from its
beginning (requestAnimationFrame) through panel, layout and paint to the first task after it. The
wait for the screen's next frame in between, up to 16.7 ms by itself, is in the last column alone.
Opening: from the navigation to the first picture drawn, also of a picture of so many megapixels,
made by tiling the photographs. It needs Playwright and Chromium.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox"]
PLACES = 300
PICTURES = (
    "",
    "| picture | seconds | of CPU | bytes | of those allowed |",
    "|---|---|---|---|---|",
)
PAGES = (
    "",
    "| page | tokens | opens in ms | handler 95 % ms | hover 50 % ms | 95 % | with the wait 95 % |",
    "|---|---|---|---|---|---|---|",
)
HOVER = """async (places) => {
  const stage = document.querySelector(".stage"), box = stage.getBoundingClientRect();
  const painted = () => new Promise((next) => {
    const channel = new MessageChannel();  // its message comes after the frame is painted
    channel.port1.onmessage = next;
    channel.port2.postMessage(0);
  });
  const frame = () => new Promise((next) => requestAnimationFrame(next));
  const times = [];
  for (const [x, y] of places) {
    await frame();
    await painted();
    let begun;
    requestAnimationFrame(() => (begun = performance.now()));  // before what the page asks for
    const start = performance.now();
    stage.dispatchEvent(new PointerEvent("pointermove", {
      clientX: box.left + x * box.width, clientY: box.top + y * box.height, pointerId: 1,
      pointerType: "mouse", bubbles: true,
    }));
    const handled = performance.now();
    await new Promise((next) => requestAnimationFrame(() => painted().then(next)));
    const end = performance.now();
    times.push([handled - start, handled - start + end - begun, end - start]);
  }
  return times;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pictures", type=Path, help="folder of JPEG files")
    parser.add_argument("--limit", type=int, help="only so many of them")
    parser.add_argument("--megapixels", type=float, default=12, help="of the large picture")
    args = parser.parse_args()
    paths = sorted(args.pictures.glob("*.jpg"))[: args.limit]
    if not paths:
        parser.exit(2, f"{parser.prog}: no .jpg files in {args.pictures}\n")
    with TemporaryDirectory() as folder, sync_playwright() as driver:
        binary = next(filter(None, map(shutil.which, NAMES)))
        browser = driver.chromium.launch(executable_path=binary, args=ARGUMENTS)
        print(*PICTURES, sep="\n")
        rows = [measured(path, Path(folder) / f"{path.stem}.html") for path in paths]
        print(f"| all {len(rows)}, at most | {max(r[0] for r in rows):.1f} | "
              f"{max(r[1] for r in rows):.1f} | | {max(r[2] for r in rows):.0%} |")  # fmt: skip
        print(*PAGES, sep="\n")
        for path in paths[:3]:
            opened(browser, path.stem, Path(folder) / f"{path.stem}.html")
        large = Path(folder) / "large.jpg"
        tiled([Image.open(path) for path in paths], args.megapixels).save(large, quality=90)
        print(*PICTURES, sep="\n")
        page = Path(folder) / "large.html"
        measured(large, page, "--num-tokens", "1000")
        print(*PAGES, sep="\n")
        opened(browser, f"{args.megapixels:g} megapixels", page)
        browser.close()


def measured(path: Path, page: Path, *options: str) -> tuple[float, float, float]:
    """Seconds of the command, of its CPU time, and the share of the bytes it may take."""
    command = [sys.executable, "-m", "spitgraph", "inspect", path, "-o", page, "--quiet", *options]
    before, start = children_seconds(), time.perf_counter()
    subprocess.run(list(map(str, command)), check=True)
    seconds, cpu = time.perf_counter() - start, children_seconds() - before
    size, allowed = page.stat().st_size, 3 * path.stat().st_size + 300_000
    name = path.stem[:32]
    print(f"| {name} | {seconds:.1f} | {cpu:.1f} | {size:,} | {size / allowed:.0%} |", flush=True)
    return seconds, cpu, size / allowed


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def opened(browser, name: str, path: Path) -> None:
    """Print how long a page takes to open, and to answer the pointer."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    start = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    page.evaluate("() => new Promise(r => requestAnimationFrame(() => setTimeout(r)))")
    opening = 1000 * (time.perf_counter() - start)
    page.wait_for_timeout(1000)  # what the page prepares once it is open
    random = np.random.default_rng(0)
    places = (0.15 + 0.7 * random.random((PLACES, 2))).tolist()
    times = np.array(page.evaluate(HOVER, places))
    handler, most, worst = np.percentile(times, 95, axis=0)
    half = np.median(times[:, 1])
    tokens = page.inner_text("#view-0 .count").split("·")[-1].split()[0]
    print(f"| {name[:32]} | {tokens} | {opening:.0f} | {handler:.1f} | {half:.1f} | {most:.1f} | "
          f"{worst:.1f} |", flush=True)  # fmt: skip
    page.close()


def tiled(pictures: list[Image.Image], megapixels: float) -> Image.Image:
    """A picture of that size, 4:3, covered with others, each enlarged twice."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(height * 4 / 3)
    sheet, place = Image.new("RGB", (width, height)), 0
    for top in range(0, height, 800):
        for left in range(0, width, 1000):
            picture = (
                pictures[place % len(pictures)].convert("RGB").resize((1000, 800), Image.LANCZOS)
            )
            sheet.paste(picture, (left, top))
            place += 1
    return sheet


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    main()
