"""The pictures of inspect.md: screenshots of pages, made in Chromium."""

import shutil
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from drawing.strips import CHELSEA, COFFEE
from spitgraph import SuperpixelTokenizer, TokenData, VoronoiTokenizer, inspection


def draw_page(out: Path) -> None:
    """Write page-light.jpg and page-dark.jpg."""
    fine = SuperpixelTokenizer(num_tokens=400, quality="fine")
    cells = VoronoiTokenizer(196, generator=torch.Generator().manual_seed(0))
    two = [SuperpixelTokenizer(num_tokens=196, quality="fine")(COFFEE), cells(COFFEE)]
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

        page = shown("light", 760, fine(CHELSEA), image=CHELSEA)
        for pixel in [(318, 180), (262, 268)]:
            page.mouse.click(*on_screen(page, *pixel))
        page.mouse.move(*on_screen(page, 172, 108))
        keep(page, out / "page-light.jpg")
        page = shown("dark", 620, two, image=COFFEE, names=names)
        page.mouse.move(*on_screen(page, 405, 200))
        keep(page, out / "page-dark.jpg")
        browser.close()


def on_screen(page: Page, x: int, y: int) -> tuple[float, float]:
    """Where a pixel of the picture is seen."""
    box = page.locator("#view-0 .stage").bounding_box()
    place = page.evaluate("([x, y]) => spitgraphPage.stages[0].toStage(x + 0.5, y + 0.5)", [x, y])
    return box["x"] + place["x"], box["y"] + place["y"]


def keep(page: Page, place: Path) -> None:
    page.wait_for_timeout(300)
    Image.open(BytesIO(page.screenshot())).convert("RGB").save(place, quality=82, optimize=True)
