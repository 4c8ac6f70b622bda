from .doctor import Finding as Finding, Level as Level, diagnose as diagnose
from .image_refresh import refresh_image as refresh_image
from .ledger import NotAsked as NotAsked, Problem as Problem, checks as checks
