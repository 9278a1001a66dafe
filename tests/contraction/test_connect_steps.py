"""Edges of the next level: every body as METHOD 2.5 written out."""

from hypothesis import given
from hypothesis import strategies as st

from spitgraph.contraction import naive


@given(st.data())
def test_merged_edges(body, draw_level, data):
    level, settings = draw_level(data)
    _, cluster = naive.contract_once(level, settings)
    assert body.merge_edges(level, cluster) == naive.merge_edges(level, cluster)
