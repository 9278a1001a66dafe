"""What is checked of a command."""


def written(folder):
    """Everything below the folder; nothing where it was not made."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def is_one_line(text):
    """Whether that is all, with nothing in it that moves a cursor."""
    return text.endswith("\n") and text[:-1].isprintable() and text != "\n"


def contents(folder):
    """The bytes of every file below the folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
