from . import events as events, oof as oof, summary as summary
from .events import Lines as Lines
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
)
from .oof import OutOfFold as OutOfFold
from .summary import Bottlenecks as Bottlenecks, clean as clean, primary_value as primary_value
from .tracebacks import Place as Place, Sources as Sources
