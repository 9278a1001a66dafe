"""What a row of a corpus holds, said once: columns, types, and what files say of themselves."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from spitgraph.checks import boolean, one_of
from spitgraph.extras import needs_extra

with needs_extra("corpus"):
    import pyarrow as pa

#: Types of token vectors in a file.
VECTORS = {"float16": "half", "float32": "as they are"}
#: Under which name files keep a `Layout`, and which layouts are known.
METADATA, LAYOUT = b"spitgraph", 1
#: Under which name a finished file keeps what could not be read for it.
UNREADABLE = b"spitgraph.unreadable"

PLAIN = [
    pa.field("path", pa.string(), nullable=False),
    pa.field("key", pa.string(), nullable=False),
    pa.field("height", pa.int32(), nullable=False),
    pa.field("width", pa.int32(), nullable=False),
    pa.field("num_tokens", pa.int32(), nullable=False),
    pa.field("num_edges", pa.int32(), nullable=False),
    pa.field("label", pa.int64()),
    pa.field("label_name", pa.string()),
]
LEVELS = pa.field("levels", pa.binary(), nullable=False)
COLOR = pa.field("color", pa.list_(pa.float32()))
PIXELS = pa.field("pixels", pa.binary())
X = pa.field("x", pa.binary())
MORE = pa.field("more", pa.binary())
#: For other readers: spitgraph computes them from `levels`.
GRAPH = [
    pa.field("size", pa.list_(pa.int32())),
    pa.field("pos", pa.list_(pa.float32())),
    pa.field("bbox", pa.list_(pa.int32())),
    pa.field("edge_source", pa.list_(pa.int32())),
    pa.field("edge_target", pa.list_(pa.int32())),
    pa.field("edge_length", pa.list_(pa.int32())),
]


@dataclass(frozen=True)
class Layout:
    """What the rows of a file hold, and what made them.

    Args:
        pixels: Whether rows hold the pictures: the files' own bytes, or PNG.
        vectors: Type of the token vectors `x`: `"float16"`, `"float32"`, or None for none.
        hierarchy: Whether all levels are kept; else only the map of the tokens.
        graph: Whether the region graph is there as columns too, for readers other than this one.
        classes: Names of labels, in order; none if they have none.
        settings: What made the tokens; JSON.
        version: Of this package.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    pixels: bool = False
    vectors: str | None = None
    hierarchy: bool = True
    graph: bool = False
    classes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""

    def __post_init__(self) -> None:
        for name in ("pixels", "hierarchy", "graph"):
            boolean(getattr(self, name), name)
        if self.vectors is not None:
            one_of(self.vectors, VECTORS, "vectors")

    @property
    def schema(self) -> "pa.Schema":
        """Columns of a file."""
        fields = [*PLAIN, LEVELS]
        fields += [] if self.pixels and not self.graph else [COLOR]
        fields += [PIXELS] if self.pixels else []
        fields += [X] if self.vectors else []
        fields += GRAPH if self.graph else []
        return pa.schema([*fields, MORE], metadata={METADATA: self.to_json()})

    def to_json(self) -> str:
        """What files say of themselves."""
        from spitgraph import __version__

        said = asdict(replace(self, version=self.version or __version__))
        return json.dumps({"layout": LAYOUT, **said}, ensure_ascii=False, sort_keys=True)

    @staticmethod
    def of(schema: "pa.Schema", name: str) -> "Layout":
        """The layout of a file.

        Raises:
            ValueError: It is another's, or of a later version of this package.
        """
        held = (schema.metadata or {}).get(METADATA)
        if held is None:
            raise ValueError(f"'{name}' holds no token graphs: it is not a file of spitgraph's")
        said = json.loads(held)
        number = said.pop("layout", None)
        if number != LAYOUT:
            raise ValueError(f"'{name}' has layout {number}, and this version reads {LAYOUT}")
        return Layout(**{**said, "classes": tuple(said["classes"])})
