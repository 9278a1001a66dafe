"""Models in folders laid out like a repository of the Hugging Face hub, without any network."""

import json
import os
import subprocess
import sys

import pytest
import torch

from helpers.models import TINY, logits_of_noise

pytest.importorskip("huggingface_hub", reason="extra hub not installed")

from spitgraph.models import create_model, from_pretrained, push_to_hub, save_pretrained
from spitgraph.models.hub import HubSPiT, with_hub
from spitgraph.nn import SPiT


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("name", ["spit_tiny_16", "vit_tiny_16"])
def test_a_folder_gives_the_same_model_again(tmp_path, name):
    model = create_model(name, graph_bias=True, image_size=64, **TINY)
    save_pretrained(model, tmp_path / "folder")
    again = from_pretrained(tmp_path / "folder")
    assert isinstance(again, SPiT)
    assert not again.training
    assert again.image_size == 64
    assert torch.equal(logits_of_noise(again), logits_of_noise(model))


def test_the_mixins_own_methods_do_the_same(tmp_path):
    model = create_model("spit_tiny_16", **TINY)
    with_hub(model).save_pretrained(tmp_path)
    again = HubSPiT.from_pretrained(str(tmp_path))
    assert torch.equal(logits_of_noise(again), logits_of_noise(model))
    again.save_pretrained(tmp_path / "again")
    assert torch.equal(logits_of_noise(from_pretrained(tmp_path / "again")), logits_of_noise(model))


def test_a_folder_holds_what_the_hub_expects(tmp_path):
    save_pretrained(create_model("spit_tiny_16", **TINY), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"README.md", "config.json", "model.safetensors"}
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["name"] == "spit_tiny_16"
    assert config.items() >= TINY.items()
    card = (tmp_path / "README.md").read_text()
    assert "library_name: spitgraph" in card


def test_files_have_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        save_pretrained(create_model("spit_tiny_16", **TINY), tmp_path / "model")
    finally:
        os.umask(before)
    for path in (tmp_path / "model").iterdir():
        assert path.stat().st_mode & 0o777 == 0o640, path.name


def test_a_tuned_head_comes_along(tmp_path):
    model = create_model("spit_tiny_16", **TINY)
    model.head = torch.nn.Linear(32, 3)
    save_pretrained(model, tmp_path)
    assert torch.equal(logits_of_noise(from_pretrained(tmp_path)), logits_of_noise(model))


def test_arguments_can_be_told(tmp_path):
    save_pretrained(create_model("spit_tiny_16", **TINY), tmp_path)
    assert from_pretrained(tmp_path, num_tokens=6).tokenizer.num_tokens == 6
    with pytest.raises(ValueError, match=r"head\.weight is \[5, 32\]"):
        from_pretrained(tmp_path, num_classes=6)


def test_the_same_parts_are_shared():
    model = create_model("spit_tiny_16", image_size=64, **TINY).eval()
    hub = with_hub(model)
    assert hub.head is model.head
    assert not hub.training
    assert hub.image_size == 64
    assert with_hub(hub) is hub


def test_what_config_json_cannot_say_is_refused(tmp_path):
    model = create_model("spit_tiny_16", features=lambda image: image, **TINY)
    with pytest.raises(ValueError, match="features is a function"):
        save_pretrained(model, tmp_path / "function")
    model.extractor = torch.nn.Identity()
    with pytest.raises(ValueError, match="create_model makes no"):
        save_pretrained(model, tmp_path / "other")


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no config\.json in"):
        from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"name": "spit_tiny_16"}))
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        from_pretrained(tmp_path)


def test_pushing_uploads_the_folder(monkeypatch):
    uploaded = {}

    class Api:
        def __init__(self, token=None):
            pass

        def create_repo(self, repo_id, **options):
            uploaded["repo"] = repo_id
            return type("Url", (), {"repo_id": repo_id})

        def upload_folder(self, folder_path, **options):
            uploaded["files"] = {path.name for path in folder_path.iterdir()}
            return "https://example.org/commit"

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    assert push_to_hub(create_model("spit_tiny_16", **TINY), "someone/model")
    assert uploaded["repo"] == "someone/model"
    assert uploaded["files"] >= {"README.md", "config.json", "model.safetensors"}


def test_huggingface_hub_is_imported_only_when_used():
    code = (
        "import sys; sys.modules['transformers'] = None\n"  # which PyG or kornia may look for
        "import spitgraph.models\n"
        "assert 'huggingface_hub' not in sys.modules and 'safetensors' not in sys.modules\n"
        "sys.modules['huggingface_hub'] = None\n"
        "try: spitgraph.models.save_pretrained\n"
        "except ImportError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert 'pip install "spitgraph[hub]"' in result.stdout
