"""Columns of a monitored table as they come: also one that has no value at all."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from emulator.services.monitoring import profile


def test_a_text_column_without_any_value_has_codes_within_its_items() -> None:
    # The memory that numpy hands out next is made to hold large numbers.
    for _ in range(50):
        np.full(1, 2**62, dtype=np.int64)
    column = pa.chunked_array([pa.array([None, None, None], pa.string())])
    made = profile.make_column("c", "string", "text", column)
    assert made.codes is not None and made.codes.tolist() == [0, 0, 0]
    assert made.present.tolist() == [False, False, False]
