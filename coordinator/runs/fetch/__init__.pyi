from . import output_file as output_file
from .fetch import (
    Choice as Choice,
    again as again,
    fetch_run as fetch_run,
    lacking as lacking,
    not_here as not_here,
    provenance as provenance,
)
from .fetched import Fetched as Fetched
from .metrics import reread as reread
from .several import FetchResult as FetchResult, fetch_several as fetch_several
