"""spitgraph tokenize-corpus says what it needs before it does anything."""

import sys

from spitgraph.cli import main


def test_the_extra_that_brings_all_is_named(tmp_path, monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("spitgraph.corpus")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["tokenize-corpus", str(tmp_path), str(tmp_path / "out")]) == 2
    expected = 'spitgraph: pyarrow is missing: pip install "spitgraph[cluster]"\n'
    assert capsys.readouterr().err == expected
    assert not (tmp_path / "out").exists()
