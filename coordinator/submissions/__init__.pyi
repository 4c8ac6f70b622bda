from . import file as file, scores as scores
from .agreement import Agreement as Agreement
from .overview import scores_overview as scores_overview
from .recorded import RecordedScore as RecordedScore
from .scores import SubmissionScore as SubmissionScore
from .submit import SubmitOptions as SubmitOptions, open_place as open_place, submit_run as submit_run
