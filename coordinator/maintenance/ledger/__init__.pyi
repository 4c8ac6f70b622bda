from . import checks as checks
from .checks import NotAsked as NotAsked, Problem as Problem
