from . import estimates as estimates, merge_folds as merge_folds, plan as plan, progress as progress, push as push
from .merge_folds import merge_fetched as merge_fetched
from .plan import Plan as Plan
from .progress import MemberProgress as MemberProgress, SweepProgress as SweepProgress, sweep_progress as sweep_progress
