"""Models by name, and their weights in and out."""

from typing import TYPE_CHECKING, Any

from spitgraph.models.configurations import Configuration, list_models
from spitgraph.models.describe import NoConfigurationError, configuration_of
from spitgraph.models.factory import create_model
from spitgraph.models.families import Family, register_family
from spitgraph.models.from_vit import from_vit
from spitgraph.models.retrofit import retrofit
from spitgraph.models.table import ModelRow, model_table
from spitgraph.models.weights import load_weights, model_from_weights, save_weights

if TYPE_CHECKING:
    from spitgraph.models.hub import HubSPiT, from_pretrained, push_to_hub, save_pretrained

__all__ = [
    "Configuration",
    "Family",
    "HubSPiT",
    "ModelRow",
    "NoConfigurationError",
    "configuration_of",
    "create_model",
    "from_pretrained",
    "from_vit",
    "list_models",
    "load_weights",
    "model_from_weights",
    "model_table",
    "push_to_hub",
    "register_family",
    "retrofit",
    "save_pretrained",
    "save_weights",
]

#: Names of `spitgraph.models.hub`, which is imported when one of them is used.
HUB = ("HubSPiT", "from_pretrained", "push_to_hub", "save_pretrained")


def __getattr__(name: str) -> Any:
    if name in HUB:
        from spitgraph.models import hub

        return getattr(hub, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
