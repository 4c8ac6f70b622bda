"""Which values of a table are missing or infinite, as pandas reads them.

Why pandas: Kaggle's scorers get a submission as a data frame, by `pandas.read_csv` with its defaults, and refuse it if
a number is missing. Which spellings that are (None, NA, n/a, #N/A, 1.#QNAN, -nan, ...) is pandas' own list, and changes
with its versions (None is on it since 2.0): a copy of the list here would go stale.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from coordinator.errors import DependencyError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["missing", "infinite"]

_ALSO = ("NAN", "Nan", "+nan", "none", "NONE", "Null", "<na>", "N/a")
"""What pandas takes for text, and nobody means as a number."""


class Values:
    """Rows of stripped values, all of one length, and what pandas makes of them."""

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        """Raises DependencyError if pandas is not installed."""
        self._rows = rows
        self._frame = _frame(rows)

    def numbers(self) -> frozenset[int]:
        """The columns (from 0) that hold numbers, or nothing at all."""
        import pandas as pd

        types = self._frame.dtypes
        return frozenset(place for place in range(len(types)) if pd.api.types.is_numeric_dtype(types[place]))

    def odd(self, numbers: Collection[int]) -> Iterator[tuple[int, int, Kind]]:
        """(row, column, kind) of each value that is missing or infinite, if those columns hold numbers.

        In any other column only an empty value is missing: there, "None" and "NA" are texts.
        """
        import pandas as pd

        for place in range(len(self._frame.columns)):
            if place not in numbers:
                yield from ((row, place, "missing") for row, values in enumerate(self._rows) if not values[place])
                continue
            cells = self._frame[place]
            yield from ((row, place, "missing") for row in _places(cells.isna()))
            # A column with texts, too (encoded masks beside -1), is not converted as a whole.
            texts = cells.astype(str) if cells.dtype == object else cells  # to_numeric fails for an int of 400 digits
            infinite = pd.to_numeric(texts, errors="coerce").isin([math.inf, -math.inf])
            yield from ((row, place, "infinite") for row in _places(infinite))


def _places(which: pd.Series[bool]) -> list[int]:
    return [int(row) for row in which.to_numpy().nonzero()[0]]


def _frame(rows: Sequence[Sequence[str]]) -> pd.DataFrame:
    # Imported here: it takes half a second, and only `coord submit` needs it.
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"a submission cannot be checked: {error.name} is not installed", hint="Run: pip install 'coord[submit]'"
        ) from error
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    text.seek(0)
    names = list(range(len(rows[0])))
    return pd.read_csv(text, header=None, names=names, na_values=list(_ALSO), low_memory=False)
