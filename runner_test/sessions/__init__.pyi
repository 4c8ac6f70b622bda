from . import isolation as isolation, log as log, notebook as notebook
from .foreground import run_once as run_once
from .host import (
    RerunReport as RerunReport,
    end_rehearsal as end_rehearsal,
    newest_rerun as newest_rerun,
    rehearsal_report as rehearsal_report,
    rerun_report as rerun_report,
    start_rehearsal as start_rehearsal,
)
from .log import Record as Record
from .machine import SessionOptions as SessionOptions
from .session import start_supervisor as start_supervisor
