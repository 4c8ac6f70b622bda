from . import charts as charts, views as views
from .make import Contents as Contents, gather_page as gather_page, run_items as run_items
from .page import new_environment as new_environment, report_file as report_file, template_values as template_values
from .write import write_report as write_report
