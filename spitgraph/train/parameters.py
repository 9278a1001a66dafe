"""Which parameters learn, where not all of them do."""

import re

from torch import nn

from spitgraph.models.wrappers import plain_names

#: Scales and shifts of the residual stream, and what tokens start from.
FEW = re.compile(r"norm|ls[12]\.gamma$|\.bias$|^embedder\.(cls_token|reg_token)$")


def adapter_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The few parameters that suffice to adapt a pretrained transformer, by name.

    Norms, LayerScale, biases, class token and registers: a thousandth of the model, no new part
    (Ben Zaken et al. 2022, *BitFit*). The head's are not among them.

    Args:
        model: A `SPiT`, alone or wrapped.
    """
    plain = plain_names(dict(model.named_parameters()))
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if FEW.search(plain[name]) and not plain[name].startswith("head.")
    }
