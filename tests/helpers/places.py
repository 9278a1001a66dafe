"""Where things are: the repository, and data that is not in it."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SPITGRAPH_DATA", REPOSITORY.parent / "shared" / "data"))
