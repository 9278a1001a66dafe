"""The table of what a `TokenData` holds, read off spitgraph/attributes.py without importing it."""

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "spitgraph" / "attributes.py"
#: What a page has in its place.
PLACE = "<!-- the table of spitgraph/attributes.py -->"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the table where a page asks for it."""
    return markdown.replace(PLACE, table()) if PLACE in markdown else markdown


def table() -> str:
    """Name, shape, type and meaning of every attribute."""
    assigned = {
        ast.unparse(node.targets[0]): node.value
        for node in ast.parse(SOURCE.read_text(encoding="utf8")).body
        if isinstance(node, ast.Assign)
    }
    rows = ["| attribute | shape, type | |", "|---|---|---|"]
    attributes = assigned["ATTRIBUTES"]
    assert isinstance(attributes, ast.Dict)
    for key, value in zip(attributes.keys, attributes.values, strict=True):
        assert isinstance(value, ast.Call) and key is not None
        shape, meaning = (ast.literal_eval(value.args[index]) for index in (0, 2))
        dtype = ast.unparse(value.args[1]).removeprefix("torch.")
        shape = shape.replace(" ", ", ")
        rows.append(f"| `{ast.literal_eval(key)}` | [{shape}] {dtype} | {meaning} |")
    counts = ast.literal_eval(assigned["COUNTS"])
    counted = ", ".join(f"{letter} {what}" for letter, what in counts.items())
    return "\n".join([*rows, "", f"Of {counted}."])
