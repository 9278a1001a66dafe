"""One browser for all tests of the page, and pages opened in it that may not reach the network."""

import shutil

import pytest

from spitgraph import inspection

NAMES = ("chromium", "chromium-browser", "google-chrome")
#: Without a sandbox, which containers have no right to make; nothing but our own pages is opened.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is there")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=binary, args=ARGUMENTS)
        yield browser
        browser.close()


class Opened:
    """A page in the browser, and what tests ask of it."""

    def __init__(self, page):
        self.page = page
        self.asked, self.complaints = [], []

    def evaluate(self, script, argument=None):
        """What a script says in which `app` is the page's."""
        function = f"argument => {{ const app = window.spitgraphPage; return {script}; }}"
        return self.page.evaluate(function, argument)

    def text(self, selector):
        return self.page.locator(selector).first.inner_text()

    def frame(self):
        """Wait until what was asked for is drawn."""
        self.page.evaluate("() => new Promise(r => requestAnimationFrame(() => setTimeout(r)))")

    def screen(self, x, y, view=0):
        """Where on the screen a pixel of the picture has its middle."""
        script = "app.stages[argument[0]].toStage(argument[1] + 0.5, argument[2] + 0.5)"
        place = self.evaluate(script, [view, x, y])
        box = self.page.locator(f"#view-{view} .stage").bounding_box()
        return box["x"] + place["x"], box["y"] + place["y"]

    def point_at(self, x, y, view=0):
        """Move the mouse to a pixel of the picture."""
        self.page.mouse.move(*self.screen(x, y, view))
        self.frame()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        self.frame()

    @property
    def shown(self):
        """The number in the panel's heading; None where no region is shown."""
        self.frame()
        heading = self.page.locator("#panel h2")
        return int(heading.inner_text().split()[1]) if heading.is_visible() else None


@pytest.fixture
def open_page(browser, tmp_path):
    """Write a page and open it; nothing may go wrong in it, nor any request leave it."""
    contexts, pages = [], []

    def open_page(tokens, *, viewport=(1000, 640), before=None, context=None, **options):
        path = tmp_path / f"page-{len(pages)}.html"
        inspection.write_page(tokens, path, **options)
        width, height = viewport
        settings = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce"}
        contexts.append(browser.new_context(**settings, **(context or {})))
        page = contexts[-1].new_page()
        opened = Opened(page)
        pages.append(opened)

        def answer(route):
            if route.request.url == path.as_uri() or route.request.url.startswith("data:"):
                route.continue_()
            else:
                opened.asked.append(route.request.url)
                route.abort()

        page.route("**/*", answer)
        page.on("console", lambda message: opened.complaints.append(message.text))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.on("dialog", lambda dialog: opened.complaints.append(dialog.message))
        if before:
            page.add_init_script(before)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=10_000)
        opened.frame()
        return opened

    yield open_page
    for opened in pages:
        assert opened.asked == []
        assert opened.complaints == []
    for context in contexts:
        context.close()
