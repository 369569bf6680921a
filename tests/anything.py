"""Strategies for any value that YAML or JSON can hold."""

from hypothesis import strategies as st

# Values that are nearly right, or right for another key.
LIKELY = st.sampled_from(
    [0, 1, -1, 1.0, True, False, None, "", "true", "1", "dense", [], [1], {}, 10**100, 1e308, "a@b"]
)
SCALARS = LIKELY | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANYTHING = st.recursive(
    SCALARS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)
