from . import compare as compare, images as images, ranking as ranking
from .candidates import (
    Candidate as Candidate,
    Pool as Pool,
    all_candidates as all_candidates,
    find_candidate as find_candidate,
)
from .compare import Comparison as Comparison, Report as Report
from .configs import attached as attached, without_seed as without_seed
from .images import Measured as Measured
from .intervals import Interval as Interval, sd_of as sd_of
from .noise import Floor as Floor, noise_floor as noise_floor
from .sides import Side as Side, side_of as side_of, summarize as summarize
from .verdict import (
    Placed as Placed,
    Verdict as Verdict,
    figure as figure,
    judge as judge,
    percent as percent,
    said_of_table as said_of_table,
    table_level as table_level,
    why_out_of_order as why_out_of_order,
)
