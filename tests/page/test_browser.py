"""The page in a browser: what it shows is what the tokens say, by pointer, keys and touch."""

from io import BytesIO

import pytest
import torch
from PIL import Image

from helpers.pictures import AWKWARD, mixed, noise
from spitgraph import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer, from_partition

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.slow]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'\u2028{{ 7*7 }}\x1b"


@pytest.fixture(scope="module")
def tokens():
    return SuperpixelTokenizer(3)(mixed(48, 62))


#: Pixels (x, y) here and there.
PIXELS = [(0, 0), (61, 47), (30, 20), (3, 40), (45, 33)]


def test_levels_and_everything_about_regions_are_exact(open_page, tokens):
    """Decoded label maps, sizes, boxes, centres, borders and children are those of Python."""
    page = open_page(tokens)
    names = [level["level"] for level in page.evaluate("app.about.views[0].levels")]
    assert names == [1, 2, 3]
    for place, level in enumerate(names):
        there = tokens.to_level(level)
        script = (
            "(p => Array.from(p.base, r => p.lut(argument) ? p.lut(argument)[r] : r))"
            "(app.stages[0].partition)"
        )
        assert page.evaluate(script, place) == there.cluster.tolist()
        shapes = page.evaluate(
            "(p => Array.from({length: p.count(argument)}, (_, r) => p.shape(argument, r)))"
            "(app.stages[0].partition)",
            place,
        )
        assert [shape["size"] for shape in shapes] == there.size.tolist()
        boxes = [[shape[side] for side in ("x0", "y0", "x1", "y1")] for shape in shapes]
        assert boxes == there.bbox.tolist()
        centres = torch.tensor([[shape["x"], shape["y"]] for shape in shapes])
        torch.testing.assert_close(centres, there.pos, rtol=0, atol=1e-4)
        graph = page.evaluate(
            "(p => Array.from({length: p.count(argument)}, (_, r) => p.neighbours(argument, r)))"
            "(app.stages[0].partition)",
            place,
        )
        edges = {(r, n["region"]): n["sides"] for r, near in enumerate(graph) for n in near}
        ends = map(tuple, there.edge_index.t().tolist())
        assert edges == dict(zip(ends, there.edge_attr[:, 0].tolist(), strict=True))
    children = page.evaluate("Array.from(app.stages[0].partition.children(2, 5))")
    assert children == (tokens.parents[2] == 5).nonzero()[:, 0].tolist()


def test_pointing_shows_the_token(open_page, tokens):
    page = open_page(tokens)
    assert page.shown is None
    for x, y in PIXELS:
        page.point_at(x, y)
        token = int(tokens.seg[0, y, x])
        assert page.shown == token
        assert f"{int(tokens.size[token]):,} px" in page.text("#panel")
        red, green, blue = (tokens.color[token] * 255).round().int().tolist()
        assert f"{red}, {green}, {blue}" in page.text("#panel")
    page.page.mouse.move(5, 5)
    assert page.shown is None


def test_pointing_is_right_when_zoomed_and_moved(open_page, tokens):
    page = open_page(tokens)
    page.point_at(30, 20)
    for _ in range(6):
        page.page.mouse.wheel(0, -300)
        page.frame()
    assert page.evaluate("app.camera.scale") > 20
    assert page.shown == int(tokens.seg[0, 20, 30])  # what is under the pointer stays there
    x, y = page.screen(30, 20)
    page.page.mouse.down()
    page.page.mouse.move(x + 60, y + 33, steps=3)
    page.page.mouse.up()
    assert page.evaluate("app.pins.length") == 0  # that was no click
    for x, y in [(30, 20), (28, 19), (31, 22)]:
        page.point_at(x, y)
        assert page.shown == int(tokens.seg[0, y, x])
    page.page.locator("#zoom-fit").click()
    page.frame()
    assert page.evaluate("app.camera.fitted")


def test_the_slider_walks_the_levels(open_page, tokens):
    page = open_page(tokens)
    slider = page.page.locator("#view-0 input[type=range]")
    counts = tokens.tree.image_counts[0]
    page.point_at(30, 20)
    for place, level in enumerate([1, 2, 3]):
        slider.evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input')) }", place)
        assert f"{level} of 3 · {counts[level]:,} " in page.text("#view-0 .count")
        region = int(tokens.partition(level).view(48, 62)[20, 30])
        assert page.shown == region  # the place is kept
        kin = page.text("#panel")
        assert ("Parent" in kin) == (level < 3) and ("Children" in kin) == (level > 1)
    page.page.locator("#panel .kin:has-text('Children') .chip").first.click()
    assert "2 of 3" in page.text("#view-0 .count")


def test_clicks_pin_and_let_go(open_page, tokens):
    page = open_page(tokens)
    pinned = page.page.locator(".pinned")
    for x, y in PIXELS[:3]:
        page.page.mouse.click(*page.screen(x, y))
        page.frame()
    expected = [f"Token {int(tokens.seg[0, y, x])}" for x, y in PIXELS[:3]]
    assert page.page.locator(".pinned .to").all_inner_texts() == expected
    page.page.mouse.click(*page.screen(*PIXELS[1]))
    page.page.locator(".pinned .close").first.click()
    assert pinned.count() == 1 and expected[2] in pinned.inner_text()
    pinned.locator(".close").click()
    assert not page.page.locator("#pins").is_visible()


def test_everything_by_keyboard(open_page, tokens):
    page = open_page(tokens)
    seg, keyboard = tokens.seg[0], page.page.keyboard
    page.page.locator("#view-0 .stage").focus()
    page.press("ArrowRight")  # begins in the middle
    assert page.shown == int(seg[24, 31])
    edges = set(map(tuple, tokens.edge_index.t().tolist()))
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp", "ArrowLeft"):
        before = page.shown
        page.press(key)
        assert (before, page.shown) in edges
    page.press("Enter")
    assert page.text(".pinned .to") == f"Token {page.shown}"
    page.press("Enter", "[")
    assert page.page.locator(".pinned").count() == 0 and "2 of 3" in page.text("#view-0 .count")
    page.press("]", "+", "+")
    assert page.evaluate("app.camera.fitted") is False
    page.press("Shift+ArrowRight", "-", "0")
    assert page.evaluate("app.camera.fitted") is True
    page.press("?")
    assert page.page.locator("#help").is_visible()
    page.press("Escape")
    assert not page.page.locator("#help").is_visible()
    page.press("/")
    keyboard.type("7")
    page.press("Enter")
    assert page.shown == 7
    page.page.locator("#live", has_text="Token 7, ").wait_for(state="attached")
    page.press("m", "b", "g")
    assert page.evaluate("[app.base, ...app.overs]") == ["mosaic", "graph"]
    page.press("Escape")
    assert page.shown is None


def test_finding_by_number(open_page, tokens):
    page = open_page(tokens)
    count = tokens.num_nodes
    for number in (0, count - 1, count // 2):
        page.page.fill("#number", str(number))
        page.press("Enter")
        assert page.shown == number
        x, y = page.evaluate("[app.current.pixel.x, app.current.pixel.y]")
        assert int(tokens.seg[0, y, x]) == number
    for wrong in (str(count), "-1", "two", ""):
        page.page.fill("#number", wrong)
        page.page.locator("#number").press("Enter")
        assert f"0 to {count - 1}" in page.text("#search-error")
        assert page.shown == count // 2


def colour_at(page, x, y):
    """What is seen at a pixel of the picture."""
    page.page.mouse.move(1, 1)
    page.frame()
    left, top = page.screen(x, y)
    clip = {"x": round(left), "y": round(top), "width": 1, "height": 1}
    return list(Image.open(BytesIO(page.page.screenshot(clip=clip))).getpixel((0, 0))[:3])


def test_layers(open_page):
    image = mixed(24, 31)
    tokens = PatchTokenizer(8)(image)
    scores = torch.linspace(-1, 1, tokens.num_nodes)
    mask = torch.zeros(24, 31, dtype=torch.bool)
    mask[:8, :16] = True
    page = open_page(tokens, attributions={"rollout": scores}, masks={"horse": mask})
    inside, outside = (4, 4), (28, 20)
    page.press("b")
    shown = (image[:, 4, 4] * 255).round().int().tolist()
    assert colour_at(page, *inside) == shown
    page.page.locator("#bases").get_by_text("Mosaic").click()
    token = int(tokens.seg[0, 20, 28])
    assert colour_at(page, *outside) == (tokens.color[token] * 255).round().int().tolist()
    page.page.locator("#bases").get_by_text("Photograph").click()
    before = [colour_at(page, *inside), colour_at(page, *outside)]
    page.page.get_by_label("horse").check()
    after = [colour_at(page, *inside), colour_at(page, *outside)]
    assert before[0] == after[0] and sum(after[1]) < sum(before[1])
    page.point_at(*inside)
    assert "100 % inside" in page.text("#panel") and "-1.00" in page.text("#panel")
    page.page.get_by_label("horse").uncheck()
    page.press("s")
    assert page.text("#scale-low") == "-1.00" and page.text("#scale-high") == "1.00"
    first, last = colour_at(page, *inside), colour_at(page, *outside)
    assert first[2] > first[0] and last[0] > last[2]  # blue is against, red for


def test_partitions_beside_each_other(open_page):
    image = mixed(48, 62)
    generator = torch.Generator().manual_seed(0)
    views = [SuperpixelTokenizer(3)(image), VoronoiTokenizer(12, generator=generator)(image)]
    page = open_page(views, names=["ours", "cells"])
    for view, (x, y) in [(0, (30, 20)), (1, (50, 40)), (1, (5, 5))]:
        page.point_at(x, y, view=view)
        here, there = (int(views[i].seg[0, y, x]) for i in (view, 1 - view))
        assert page.shown == here
        other = page.text("#panel .other")
        both = ((views[view].seg == here) & (views[1 - view].seg == there)).sum()
        either = ((views[view].seg == here) | (views[1 - view].seg == there)).sum()
        assert f"Token {there} ·" in other and f"overlap {100 * both / either:.0f}"[:-1] in other
    page.page.mouse.wheel(0, -300)
    page.frame()
    assert page.screen(10, 10, 1)[1] == page.screen(10, 10, 0)[1]  # one camera
    assert not page.page.locator("#view-1 input[type=range]").is_visible()  # it has one level


def test_hostile_names_stay_text(open_page, tokens):
    scores = torch.rand(tokens.num_nodes)
    mask = torch.ones(48, 62, dtype=torch.bool)
    page = open_page(
        tokens,
        title=HOSTILE,
        names=[HOSTILE],
        attributions={HOSTILE: scores},
        masks={HOSTILE: mask},
    )
    shown = HOSTILE.replace("\u2028", "\\u2028").replace("\x1b", "\\x1b")
    assert page.text("h1") == shown and page.page.title() == f"{shown} · tokens"
    assert page.text("#view-0 .view-name") == shown
    assert page.page.locator("h1 *").count() == 0
    page.point_at(3, 3)
    page.press("Enter", "s")
    assert shown in page.text("#panel .scores")
    assert page.evaluate("document.images.length") == 1


def test_narrow_screens(open_page, tokens):
    page = open_page(
        [tokens, tokens],
        viewport=(360, 640),
        title="a_long_name_without_any_place_to_break_it_into_lines.jpeg",
        context={"has_touch": True, "is_mobile": True},
    )
    for _ in range(2):
        box = page.page.locator("#view-0 .stage").bounding_box()
        page.page.touchscreen.tap(box["x"] + 100, box["y"] + 60)
        page.frame()
    assert page.shown is not None and page.page.locator(".pinned").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("name", ["one pixel", "one row", "one column", "flat grey"])
def test_awkward_pictures(open_page, name):
    image = AWKWARD[name]
    page = open_page(SuperpixelTokenizer()(image))
    height, width = image.shape[1:]
    page.point_at(width - 1, height - 1)
    assert page.shown is not None
    page.press("Enter", "m", "g")
    assert page.page.locator(".pinned").count() == 1


def test_scattered_regions_and_other_numbers(open_page):
    """Regions in pieces, numbered in any order, without pixels or vectors."""
    seg = torch.tensor([[3, 3, 0, 1], [2, 0, 0, 3], [3, 1, 2, 2]])
    tokens = from_partition(noise(3, 4), seg).without_pixels()
    page = open_page(tokens)
    assert page.page.locator("#bases label").all_inner_texts() == ["Mosaic"]
    for y in range(3):
        for x in range(4):
            page.point_at(x, y)
            assert page.shown == int(seg[y, x])
    assert not page.page.locator("#panel .vectors").is_visible()


def test_without_decompression(open_page, tokens):
    """Browsers that lack DecompressionStream inflate by themselves."""
    page = open_page(tokens, before="delete window.DecompressionStream")
    decoded = page.evaluate(
        "[typeof DecompressionStream, Array.from({length: 48 * 62}, (_, p) =>"
        " app.stages[0].partition.at(2, p % 62, Math.floor(p / 62)))]"
    )
    assert decoded == ["undefined", tokens.cluster.tolist()]


def test_dark_and_light(open_page, tokens):
    page = open_page(tokens, context={"color_scheme": "dark"})
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.page.locator("#theme").click()
    light = page.evaluate(paper)
    lightness = [sum(map(int, c[4:-1].split(","))) for c in (dark, light)]
    assert lightness[0] < 150 < 600 < lightness[1]
    page.page.locator("#theme").click()
    assert page.evaluate(paper) == dark
