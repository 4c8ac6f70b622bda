from .make import make_report as make_report
