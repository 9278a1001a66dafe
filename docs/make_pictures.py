"""Draws the pictures of the documentation: python docs/make_pictures.py [FOLDER]"""

import sys
from pathlib import Path

from drawing.figures import draw_figures
from drawing.idea import draw_idea
from drawing.masks import draw_masks
from drawing.outlines import draw_outlines
from drawing.page import draw_page
from drawing.strips import COFFEE, DOCS
from drawing.tokens import draw_tokens


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "pictures"
    out.mkdir(parents=True, exist_ok=True)
    draw_tokens(out)
    draw_idea(COFFEE, out)
    draw_figures(out)
    draw_masks(out)
    draw_outlines(out)
    draw_page(out)


if __name__ == "__main__":
    main()
