"""Explanations: which tokens, pixels and regions a model's answer depends on (METHOD 7)."""

from spitgraph.explain.attribution import Attribution
from spitgraph.explain.bootstrap import Interval, bootstrap_interval
from spitgraph.explain.coalitions import token_tree
from spitgraph.explain.control import random_order
from spitgraph.explain.curve import Curve
from spitgraph.explain.faithfulness import (
    Faithfulness,
    comprehensiveness,
    deletion,
    faithfulness,
    insertion,
    sufficiency,
)
from spitgraph.explain.flow import attention_flow
from spitgraph.explain.integrated import integrated_gradients
from spitgraph.explain.lime import lime
from spitgraph.explain.owen import owen
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
    "Curve",
    "Faithfulness",
    "Interval",
    "NoAttentionError",
    "attention",
    "attention_flow",
    "bootstrap_interval",
    "comprehensiveness",
    "deletion",
    "faithfulness",
    "input_gradient",
    "insertion",
    "integrated_gradients",
    "kernel_shap",
    "lime",
    "owen",
    "prototype_pca",
    "random_order",
    "recorded_attention",
    "rollout",
    "subset_logits",
    "sufficiency",
    "token_relevance",
    "token_tree",
]
