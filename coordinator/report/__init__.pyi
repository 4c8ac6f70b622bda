from .make import Contents as Contents
from .write import write_report as write_report
