"""Output: the report, the tables and the drawn images of a run. Needs no torch."""

from .loop_profile import PARTS, merge_profiles, profile
from .outputs import by_presence, figures, summarize, write_oof, write_submission
from .overlays import save_png, sheet, worst, write_worst
from .report import Report, best_place, described, is_better, replace_error, spread

__all__ = [
    "PARTS",
    "Report",
    "best_place",
    "by_presence",
    "described",
    "figures",
    "is_better",
    "merge_profiles",
    "profile",
    "replace_error",
    "save_png",
    "sheet",
    "spread",
    "summarize",
    "worst",
    "write_oof",
    "write_submission",
    "write_worst",
]
