from .doctor import diagnose as diagnose
from .finding import Finding as Finding, Level as Level
