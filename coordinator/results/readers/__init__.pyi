from .lines import LineReader as LineReader
from .read import EVENTS as EVENTS, read_results as read_results
