"""Names of what the kernels of the contraction share: rows of a level's tally, and no values.

The rows of its table are those of `spitgraph.kernels.cuda.programs`.
"""

import triton.language as tl

from spitgraph.contraction.select import LOWEST

#: Rows of a level's tally, a column an image: sum of the regions' squared sizes, regions that would
#: merge, edges chosen; and, in the first column, edges of the whole batch.
SQUARES, MERGING, CHOSEN, EDGES = map(tl.constexpr, range(4))
ROWS = 4

#: Bits of a weight that is none. Those of weights are not negative.
NO_WEIGHT = tl.constexpr(-1)
#: No edge of an image has this priority: `unmix` of it is no pair u < v.
NO_PRIORITY = tl.constexpr(LOWEST)
