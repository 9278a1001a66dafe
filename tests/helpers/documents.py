"""Blocks of code in documents, and the files that they speak of."""

import re
import runpy
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from safetensors.torch import save_file

from helpers.labelled import picture_folder
from helpers.places import REPOSITORY
from spitgraph import SuperpixelTokenizer, create_model, save_weights

#: Everything that users read.
DOCUMENTS = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted((REPOSITORY / "examples").rglob("*.md")),
]
#: A block, and perhaps the comment before it that says why it is not run.
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+?) -->\n+)?"
    r"(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^ *```",
    re.S | re.M,
)


@dataclass(frozen=True)
class Block:
    """A block of code as a document has it; `reason` says why it cannot run, if it cannot."""

    document: Path
    line: int
    language: str
    code: str
    reason: str | None

    def __str__(self):
        return f"{self.document.relative_to(REPOSITORY)}:{self.line}"


def blocks(document, *languages):
    """The blocks of a document in some languages, in order."""
    text = document.read_text(encoding="utf8")
    found = []
    for match in BLOCK.finditer(text):
        if match["language"] in languages:
            line = text.count("\n", 0, match.start("code"))
            code = textwrap.dedent(match["code"])
            found.append(Block(document, line, match["language"], code, match["reason"]))
    return found


def run_python(document):
    """Run a document's blocks as they stand, one after the other in one namespace."""
    namespace = {"__name__": "__main__"}
    for block in blocks(document, "python"):
        if block.reason is None:
            code = "\n" * block.line + block.code  # so that errors name the document's line
            exec(compile(code, str(document), "exec"), namespace)


def commands(block):
    """What a block would have a shell run, as lists of words; variables are put in."""
    found, variables = [], {}
    for line in whole_lines(re.sub(r"\\\n", " ", block.code)):
        for name, value in variables.items():
            line = line.replace(f"${name}", value)
        words = shlex.split(line, comments=True)
        if words and (set_ := re.fullmatch(r"(\w+)=(.*)", words[0], re.S)):
            variables[set_[1]] = set_[2]
        elif words:
            found.append(words)
    return found


def whole_lines(code):
    """Lines, those that a quotation goes on over taken together."""
    lines = []
    for line in code.splitlines():
        if lines and lines[-1].count('"') % 2:
            lines[-1] += " " + line
        else:
            lines.append(line)
    return lines


def write_corpus(folder):
    """Token graphs in Parquet, as `spitgraph tokenize-corpus` leaves them."""
    from spitgraph.corpus import TokenWriter

    with TokenWriter(folder) as writer:
        for path in sorted(Path("photos").iterdir()):
            writer.write(SuperpixelTokenizer(num_tokens=40)(path), path=str(path), label=1)


def write_sample_files(folder):
    """Files that documents speak of without making them.

    `photo.jpg` and `photos/`, the state dict of a ViT, weights of ours, and labelled pictures. What
    is in the repository is there under its own name, as if the folder was its root.
    """
    for entry in REPOSITORY.iterdir():
        if not entry.name.startswith(".") and entry.name != "out":
            (folder / entry.name).symlink_to(entry)
    photograph = Image.open(REPOSITORY / "examples" / "pictures" / "coffee.jpg")
    (folder / "photos").mkdir()
    for path in (folder / "photo.jpg", folder / "photos" / "one.jpg"):
        photograph.resize((120, 80)).save(path)
    retrofit = runpy.run_path(str(REPOSITORY / "examples" / "retrofit.py"))
    save_file(retrofit["random_state"](), folder / "vit.safetensors")
    small = {"embed_dim": 64, "depth": 2, "bins": 8, "num_classes": 10}
    save_weights(create_model("spit_tiny_16", **small), folder / "weights.safetensors")
    (folder / "labelled").mkdir()
    picture_folder(folder / "labelled")
    return folder
