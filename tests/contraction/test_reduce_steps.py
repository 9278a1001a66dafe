"""What the regions of the next level hold: every body as METHOD 2.5 written out."""

from hypothesis import given
from hypothesis import strategies as st

from spitgraph.contraction import naive


@given(st.data())
def test_sums_and_sizes(extensions, body, draw_level, data):
    level, settings = draw_level(data)
    _, cluster = naive.contract_once(level, settings)
    assert body.pool(level, cluster) == naive.pool(level, cluster)


@given(st.data())
def test_boxes(extensions, body, draw_level, data):
    level, settings = draw_level(data)
    _, cluster = naive.contract_once(level, settings)
    assert body.pool_boxes(level, cluster) == naive.pool_boxes(level, cluster)
