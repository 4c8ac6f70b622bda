from .lines import LineReader as LineReader
from .read import read_results as read_results
