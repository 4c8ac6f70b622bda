from .doctor import diagnose as diagnose
