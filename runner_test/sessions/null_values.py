"""Finds missing and infinite values in a submission, for which Kaggle refuses it before its scorer sees it."""

import math
from pathlib import Path

_TABLES = ("", ".csv", ".gz")


def null_values(submission: Path, solution: Path) -> str:
    """What is missing, in a few words, or "" if nothing is: of the columns that the solution has complete.

    A submission that is no CSV file is left to the scorer. Kaggle reads submissions with pandas: so does this.
    """
    if submission.suffix not in _TABLES:
        return ""
    import pandas as pd  # takes half a second

    try:
        given, right = pd.read_csv(submission, low_memory=False), pd.read_csv(solution, low_memory=False)
        texts = pd.read_csv(submission, dtype=str, keep_default_na=False)
    except ValueError:  # the scorer says what is wrong with the file
        return ""
    for name in right.columns[1:]:
        if name not in given or right[name].isna().any():
            continue
        if pd.api.types.is_numeric_dtype(right[name]):
            infinite = pd.to_numeric(texts[name], errors="coerce").isin([math.inf, -math.inf])
            found = given[name].isna() | infinite
        else:  # in a column of texts, "None" is one
            found = texts[name] == ""
        if found.any():
            return f"{name} of row {int(found.to_numpy().argmax()) + 1}"
    return ""
