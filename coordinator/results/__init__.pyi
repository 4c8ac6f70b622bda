from . import oof as oof
from .analysis import Ablated as Ablated, Bottlenecks as Bottlenecks
from .events import (
    Event as Event,
    Lines as Lines,
    event_in as event_in,
    event_of as event_of,
    log_lines as log_lines,
    read_events as read_events,
)
from .failure import failure as failure
from .folder import (
    LOG_RECORDS as LOG_RECORDS,
    LOG_TEXT as LOG_TEXT,
    PARTS as PARTS,
    RUN as RUN,
    SUMMARY as SUMMARY,
    Kept as Kept,
    Results as Results,
    folder_of as folder_of,
    identity as identity,
    lacking_of as lacking_of,
)
from .merging import merge_summaries as merge_summaries
from .metrics import Baseline as Baseline, FoldValue as FoldValue, Metric as Metric, Repeats as Repeats
from .oof import OutOfFold as OutOfFold
from .readers import EVENTS as EVENTS, LineReader as LineReader, read_results as read_results
from .review import MODES as MODES, reported as reported, too_large as too_large
from .scoring import Scorer as Scorer, said as said, scorer_of as scorer_of, table_faults as table_faults
from .summary import Summary as Summary, read_summary as read_summary
from .table import Column as Column, Table as Table, read_table as read_table
from .tracebacks import Place as Place, Sources as Sources
from .untrusted import JSON_MAX as JSON_MAX, check_json as check_json, lenient_json as lenient_json
