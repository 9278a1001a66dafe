"""Models on the Hugging Face hub, or in a folder laid out like there, by huggingface_hub's mixin.

Importing this module imports huggingface_hub, which comes with the extra `hub`.
"""

import json
import os
from pathlib import Path
from typing import Any

from spitgraph.models.describe import configuration_of
from spitgraph.models.factory import create_model
from spitgraph.models.weights import load_weights, save_weights
from spitgraph.nn import SPiT

try:
    from huggingface_hub import PyTorchModelHubMixin, constants, hf_hub_download
except ImportError as error:
    raise ImportError(
        'huggingface_hub is missing: pip install "spitgraph[hub]"', name=error.name
    ) from error

CONFIGURATION, WEIGHTS = constants.CONFIG_NAME, constants.SAFETENSORS_SINGLE_FILE


class HubSPiT(
    SPiT,
    PyTorchModelHubMixin,
    library_name="spitgraph",
    paper_url="https://arxiv.org/abs/2408.07680",
    pipeline_tag="image-classification",
    tags=["superpixels", "vision-transformer"],
):
    """A model with `save_pretrained`, `from_pretrained` and `push_to_hub`.

    A folder, or a repository on the hub, holds `config.json` with the arguments of `create_model`,
    `model.safetensors`, and the model card `README.md`.
    """

    def _save_pretrained(self, save_directory: Path) -> None:
        arguments = configuration_of(self).arguments()
        if callable(arguments.get("features")):
            raise ValueError(f"features is a function, which {CONFIGURATION} cannot hold")
        save_weights(self, save_directory / WEIGHTS)
        text = json.dumps(arguments, indent=2) + "\n"
        (save_directory / CONFIGURATION).write_text(text, encoding="utf-8")

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        config: dict[str, Any] | None = None,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        **told: Any,
    ) -> "HubSPiT":
        if config is None:
            raise ValueError(f"there is no {CONFIGURATION} in '{model_id}'")
        weights: str = os.path.join(model_id, WEIGHTS)
        if not os.path.isdir(model_id):
            weights = hf_hub_download(
                model_id,
                WEIGHTS,
                revision=revision,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                token=token,
            )
        return with_hub(load_weights(create_model(**(config | told)), weights)).eval()


def with_hub(model: SPiT) -> HubSPiT:
    """The same model, its parts shared, with the methods of the mixin."""
    if isinstance(model, HubSPiT):
        return model
    hub = HubSPiT(model.tokenizer, model.extractor, model.embedder, model.backbone, model.head)
    vars(hub).update(training=model.training, image_size=getattr(model, "image_size", None))
    return hub


def save_pretrained(model: SPiT, folder: str | os.PathLike[str], **options: Any) -> None:
    """Write a model into a folder: `config.json`, `model.safetensors` and a model card.

    Args:
        model: A model that `create_model` makes, whatever its weights.
        folder: Made if it does not exist.
        options: Of `huggingface_hub.ModelHubMixin.save_pretrained`.

    Raises:
        ValueError: `create_model` makes no such model.
    """
    with_hub(model).save_pretrained(Path(folder), **options)


def from_pretrained(name: str | os.PathLike[str], **options: Any) -> HubSPiT:
    """A model from a folder, or from a repository on the hub, in evaluation mode.

    Args:
        name: Folder, or name of the repository.
        options: Of `huggingface_hub.ModelHubMixin.from_pretrained`, such as `revision` and
            `local_files_only`; others are arguments of `create_model` to be other than the saved.

    Raises:
        ValueError: There is no configuration, or the weights do not fit it.
        OSError: The weights are not there.
    """
    return HubSPiT.from_pretrained(Path(name) if os.path.isdir(name) else str(name), **options)


def push_to_hub(model: SPiT, repo_id: str, **options: Any) -> str:
    """Upload a model to the hub.

    Args:
        model: A model that `create_model` makes, whatever its weights.
        repo_id: Name of the repository.
        options: Of `huggingface_hub.ModelHubMixin.push_to_hub`, such as `private` and `token`.

    Returns:
        Address of the commit.
    """
    return str(with_hub(model).push_to_hub(repo_id, **options))
