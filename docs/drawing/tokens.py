"""Pictures of README.md, method.md and quality.md: tokens, their graph, vectors, two rules."""

from pathlib import Path

from drawing.strips import CHELSEA, COFFEE, as_picture, side_by_side
from spitgraph import InterpolationExtractor, SuperpixelTokenizer, inspection


def draw_tokens(out: Path) -> None:
    """Write tokens.jpg, vectors.png and rules.jpg."""
    tokens = InterpolationExtractor()(SuperpixelTokenizer(num_tokens=256)(COFFEE))
    borders = inspection.to_pil(inspection.overlay(tokens, scale=2))
    graph = as_picture(inspection.plot_graph(tokens))
    side_by_side([borders, graph], 480).save(out / "tokens.jpg", quality=90)
    coffee, spoon, wood = (
        int(tokens.seg[0, y, x]) for x, y in ((290, 165), (372, 290), (560, 300))
    )
    inspection.plot_token(tokens, [coffee, spoon, wood]).savefig(out / "vectors.png")
    by_rule = [SuperpixelTokenizer(num_tokens=256, quality=q)(CHELSEA) for q in ("fast", "fine")]
    halves = [inspection.to_pil(inspection.overlay(tokens, scale=2)) for tokens in by_rule]
    side_by_side(halves, 400).save(out / "rules.jpg", quality=90)
