"""The pictures of docs/inspect.md: screenshots of pages, made in Chromium.

    python docs/make_page_pictures.py [FOLDER]

It needs Playwright and Chromium.
"""

import shutil
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from spitgraph import SuperpixelTokenizer, TokenData, VoronoiTokenizer, inspection

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS.parent / "examples" / "pictures"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "pictures"
    chelsea, coffee = PICTURES / "chelsea.jpg", PICTURES / "coffee.jpg"
    fine = SuperpixelTokenizer(num_tokens=400, quality="fine")
    cells = VoronoiTokenizer(196, generator=torch.Generator().manual_seed(0))
    two = [SuperpixelTokenizer(num_tokens=196, quality="fine")(coffee), cells(coffee)]
    names = ["superpixels", "Voronoi cells"]
    binary = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    with TemporaryDirectory() as place, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=binary, args=["--no-sandbox"])

        def shown(theme: str, height: int, tokens: TokenData | list[TokenData], **options) -> Page:
            inspection.write_page(tokens, Path(place, "page.html"), **options)
            size = {"width": 1180, "height": height}
            page = browser.new_page(viewport=size, color_scheme=theme, reduced_motion="reduce")
            page.goto(Path(place, "page.html").as_uri())
            page.wait_for_selector("html[data-ready]")
            return page

        page = shown("light", 760, fine(chelsea), image=chelsea)
        for pixel in [(318, 180), (262, 268)]:
            page.mouse.click(*on_screen(page, *pixel))
        page.mouse.move(*on_screen(page, 172, 108))
        keep(page, folder / "page-light.jpg")
        page = shown("dark", 620, two, image=coffee, names=names)
        page.mouse.move(*on_screen(page, 405, 200))
        keep(page, folder / "page-dark.jpg")
        browser.close()


def on_screen(page: Page, x: int, y: int) -> tuple[float, float]:
    """Where a pixel of the picture is seen."""
    box = page.locator("#view-0 .stage").bounding_box()
    place = page.evaluate("([x, y]) => spitgraphPage.stages[0].toStage(x + 0.5, y + 0.5)", [x, y])
    return box["x"] + place["x"], box["y"] + place["y"]


def keep(page: Page, place: Path) -> None:
    page.wait_for_timeout(300)
    Image.open(BytesIO(page.screenshot())).convert("RGB").save(place, quality=82, optimize=True)
    print(f"{place}: {place.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
