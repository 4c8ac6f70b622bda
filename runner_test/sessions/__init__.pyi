from . import isolation as isolation, log as log, notebook as notebook
from .log import Record as Record
from .session import run_once as run_once, start as start
