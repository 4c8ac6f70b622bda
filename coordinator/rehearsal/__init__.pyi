from .findings import duration as duration
from .rehearse import Rehearsal as Rehearsal, RehearsalOptions as RehearsalOptions, rehearse as rehearse
