"""Labels keep their distance and stay as near to their lines as can be."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minrm.notebook.direct_labels import spread

VALUES = st.lists(st.floats(0, 100), min_size=1, max_size=10).map(sorted)


@given(VALUES, st.floats(0.5, 20))
def test_places_are_apart_and_in_order(values, gap):
    places = spread(values, gap)
    assert len(places) == len(values)
    assert (np.diff(places) >= gap * (1 - 1e-9) - 1e-9).all()


@given(VALUES, st.floats(0.5, 20))
def test_no_other_places_are_nearer(values, gap):
    size, offsets = len(values), gap * np.arange(len(values))
    v = np.array(values) - offsets  # to be `gap` apart is to be rising after the offsets: an isotonic regression,
    expected = [  # of which the least squares are known as the greatest of least means (Robertson et al. 1988)
        max(min(v[a : b + 1].mean() for b in range(i, size)) for a in range(i + 1)) + offsets[i] for i in range(size)
    ]
    np.testing.assert_allclose(spread(values, gap), expected, atol=1e-6)
