"""Explanations: which tokens, pixels and regions a model's answer depends on (METHOD 7)."""

from spitgraph.explain.attribution import Attribution
from spitgraph.explain.flow import attention_flow
from spitgraph.explain.integrated import integrated_gradients
from spitgraph.explain.lime import lime
from spitgraph.explain.pixels import input_gradient
from spitgraph.explain.prototypes import prototype_pca
from spitgraph.explain.recording import AttentionRecord, NoAttentionError, recorded_attention
from spitgraph.explain.relevance import token_relevance
from spitgraph.explain.rollout import attention, rollout
from spitgraph.explain.shapley import kernel_shap
from spitgraph.explain.subsets import subset_logits

__all__ = [
    "AttentionRecord",
    "Attribution",
    "NoAttentionError",
    "attention",
    "attention_flow",
    "input_gradient",
    "integrated_gradients",
    "kernel_shap",
    "lime",
    "prototype_pca",
    "recorded_attention",
    "rollout",
    "subset_logits",
    "token_relevance",
]
