"""Models on the Hugging Face hub, or in a folder laid out like there, by huggingface_hub's mixin.

Importing this module imports huggingface_hub, which comes with the extra `hub`.
"""

import json
import os
from pathlib import Path
from typing import Any

from torch import nn

from spitgraph.beside import written_beside
from spitgraph.checks import file_path, instance
from spitgraph.models.assign import assign
from spitgraph.models.describe import configuration_of, without_memory
from spitgraph.models.factory import create_model
from spitgraph.models.weights import load_weights, save_weights
from spitgraph.models.wrappers import gathered, plain_state, spit_inside, unwrapped
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
        for name in ("features", "similarity"):
            if callable(arguments.get(name)):
                raise ValueError(f"{name} is a function, which {CONFIGURATION} cannot hold")
        save_weights(self, save_directory / WEIGHTS)
        text = json.dumps(arguments, indent=2) + "\n"
        with written_beside(save_directory / CONFIGURATION) as unfinished:
            unfinished.write_text(text, encoding="utf-8")

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


def with_hub(model: nn.Module) -> HubSPiT:
    """The same model, its parts shared, with the mixin's methods; of one in wrappers, a copy."""
    if isinstance(model, HubSPiT):
        return model
    spit = spit_inside(model)
    if spit is not model or any(unwrapped(part) is not part for part in spit.children()):
        spit = copy_without_wrappers(model)
    hub = HubSPiT(spit.tokenizer, spit.extractor, spit.embedder, spit.backbone, spit.head)
    vars(hub).update(training=model.training, image_size=getattr(spit, "image_size", None))
    return hub


def copy_without_wrappers(model: nn.Module) -> SPiT:
    """The model of the same configuration and weights, on the CPU."""
    spit = without_memory(configuration_of(model))
    state = {name: gathered(value).detach() for name, value in plain_state(model).items()}
    assign(spit, state, {}, "the model")
    return spit


def save_pretrained(model: nn.Module, folder: str | os.PathLike[str], **options: Any) -> None:
    """Write a model into a folder: `config.json`, `model.safetensors` and a model card.

    Args:
        model: A model that `create_model` makes, whatever its weights, alone or wrapped: compiled,
            parallel, sharded or averaged.
        folder: Made if it does not exist.
        options: Of `huggingface_hub.ModelHubMixin.save_pretrained`.

    Raises:
        ValueError: `create_model` makes no such model.
        TypeError: There is no `SPiT` inside the model, or the folder is no path.
    """
    folder = Path(file_path(folder, "folder"))
    with_hub(model).save_pretrained(folder, **options)


def from_pretrained(name: str | os.PathLike[str], **options: Any) -> HubSPiT:
    """A model from a folder, or from a repository on the hub, in evaluation mode.

    Args:
        name: Folder, or name of the repository.
        options: Of `huggingface_hub.ModelHubMixin.from_pretrained`, such as `revision` and
            `local_files_only`; others are arguments of `create_model` to be other than the saved.

    Raises:
        ValueError: There is no configuration, or the weights do not fit it.
        OSError: The weights are not there.
        TypeError: The name is neither a string nor a path.
    """
    name = file_path(name, "name")
    return HubSPiT.from_pretrained(Path(name) if os.path.isdir(name) else name, **options)


def push_to_hub(model: nn.Module, repo_id: str, **options: Any) -> str:
    """Upload a model to the hub.

    Args:
        model: See `save_pretrained`.
        repo_id: Name of the repository.
        options: Of `huggingface_hub.ModelHubMixin.push_to_hub`, such as `private` and `token`.

    Returns:
        Address of the commit.

    Raises:
        ValueError: `create_model` makes no such model.
        TypeError: There is no `SPiT` inside the model, or the name is no string.
    """
    instance(repo_id, str, "repo_id", "a string")
    return str(with_hub(model).push_to_hub(repo_id, **options))
