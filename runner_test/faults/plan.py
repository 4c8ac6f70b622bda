"""A plan of faults: which call of which method fails, how, and whether it has happened.

    {"faults": [{"method": "SaveKernel", "fault": "reset", "when": "after"},
                {"method": "GetKernelSessionStatus", "call": 2, "times": 3, "fault": "status", "status": 429,
                 "retry_after": 2}]}

`method` is a method of Kaggle (the last part of its path), "Download" (of a file), "Upload", or "*" for any. `call` is
the number of the first call that fails, `times` how many calls in a row fail; null means all from then on. A planned
fault that never happened is an error, because a test that plans it without meeting it shows nothing.

`faulty` carries faults out.
"""

import difflib
import json
import math
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from runner_test.errors import BadPlan, UnusedFaults
from runner_test.http import METHODS

DOWNLOAD, UPLOAD, ANY = "Download", "Upload", "*"
LOG_STREAM = "GetKernelSessionLogsStream"
OUTPUT_LIST = "ListKernelSessionOutput"
STATUS = "GetKernelSessionStatus"
DATASET_STATUS = "GetDatasetStatus"


class Kind(StrEnum):
    """The kinds of faults. Those in `EITHER_WAY` happen before or after the request takes effect, the others after."""

    DOWN = "down"  # all connections are reset, and new ones refused for `seconds`, as if the server restarted
    RESET = "reset"  # the connection is reset
    TIMEOUT = "timeout"  # no answer until the client disconnects or `seconds` have passed; then a reset
    STATUS = "status"  # an HTTP error, with Retry-After if `retry_after` is given
    HTML = "html"  # an HTML page instead of JSON, with status 200
    CUT = "cut"  # the first half of the answer, as if it were complete
    TRUNCATED = "truncated"  # the first half of the answer, then the connection closes
    GARBLED = "garbled"  # bytes that are not text
    SLOW = "slow"  # the answer in small pieces over `seconds`
    TYPES = "types"  # JSON with values of other types
    EMPTY = "empty"  # an empty object
    REPEATED_TOKEN = "repeated_token"  # a list whose next page is always the same
    ENDLESS_PAGES = "endless_pages"  # a list that always has another page
    EMPTY_LOG = "empty_log"  # a log without records
    STALE = "stale"  # the answer for the version before the requested one
    RUNNING = "running"  # the state is RUNNING, whatever the session does; a data set is never ready
    EXPIRED = "expired"  # the signed addresses in the answer, or the requested one, have expired
    HALF_SENT = "half_sent"  # half of what the client sends arrives, then the connection is reset


EITHER_WAY = frozenset({Kind.DOWN, Kind.RESET, Kind.TIMEOUT, Kind.STATUS, Kind.HTML})
PAGED = frozenset(
    {
        *(OUTPUT_LIST, "ListKernelFiles", "ListKernels"),
        *("ListSubmissions", "ListDataFiles", "ListCompetitions"),
        *("ListDatasets", "ListDatasetFiles", "ListTreeDatasetFiles"),
        *("ListModels", "ListModelInstances", "ListModelInstanceVersions", "ListModelInstanceVersionFiles"),
    }
)
_KNOWN = frozenset({name.rpartition("/")[2] for name in METHODS} | {DOWNLOAD, UPLOAD, ANY})
_JSON_ONLY = frozenset({Kind.CUT, Kind.GARBLED, Kind.TYPES, Kind.EMPTY})

# The methods of the kinds that apply to some methods only.
_METHODS_OF: Mapping[Kind, frozenset[str]] = {
    Kind.REPEATED_TOKEN: PAGED,
    Kind.ENDLESS_PAGES: PAGED,
    Kind.EMPTY_LOG: frozenset({OUTPUT_LIST, LOG_STREAM}),
    Kind.STALE: frozenset({STATUS, OUTPUT_LIST, DATASET_STATUS}),
    Kind.RUNNING: frozenset({STATUS, DATASET_STATUS}),
    Kind.HALF_SENT: frozenset({UPLOAD}),
    Kind.EXPIRED: frozenset({OUTPUT_LIST, DOWNLOAD}),
}


@dataclass(frozen=True)
class Fault:
    """One planned fault. Raises BadPlan for invalid values."""

    method: str
    fault: Kind
    call: int = 1
    times: int | None = 1
    when: str = "before"
    status: int = 503
    retry_after: int | None = None  # seconds
    message: str = "planned"
    seconds: float | None = None

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise BadPlan(f"{self}: {problem}")

    def __str__(self) -> str:
        what = f"{self.fault.value} {self.status}" if self.fault is Kind.STATUS else self.fault.value
        where = f" {self.when} it takes effect" if self.fault in EITHER_WAY else ""
        times = "" if self.times == 1 else ", and all after it" if self.times is None else f", {self.times} times"
        return f"{what}{where}, {self.method} call {self.call}{times}"

    def covers(self, method: str, number: int) -> bool:
        """Whether it is planned for call `number` of the method."""
        last = self.times is None or number < self.call + self.times
        return self.method in (method, ANY) and self.call <= number and last

    def applies(self, method: str) -> bool:
        """Whether this kind of fault is possible for the method."""
        return method in _METHODS_OF.get(self.fault, (method,)) and not (
            self.fault in _JSON_ONLY and method in (DOWNLOAD, UPLOAD)
        )

    def _problem(self) -> str | None:
        if self.method not in _KNOWN:
            near = difflib.get_close_matches(self.method, _KNOWN, 1, 0.5)
            return f"there is no method {self.method!r}" + (f" (did you mean {near[0]!r}?)" if near else "")
        if self.method != ANY and not self.applies(self.method):
            return f"{self.method} can't fail that way"
        if self.call < 1 or (self.times is not None and self.times < 1):
            return "call and times count from 1"
        if self.when not in ("before", "after"):
            return f"when is before or after, not {self.when!r}"
        if self.when == "after" and self.fault not in EITHER_WAY:
            return "it is in the answer, so it is always after: leave out when"
        if not 400 <= self.status <= 599:
            return f"status is an HTTP error, from 400 to 599, not {self.status}"
        if self.seconds is not None and not 0 <= self.seconds < math.inf:
            return "seconds are a number, 0 or more"
        if self.retry_after is not None and self.retry_after < 0:
            return "retry_after is a number of seconds, 0 or more"
        return None


class Faults:
    """A plan, and which of its faults have happened. It may be used by several threads."""

    def __init__(self, plan: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self.forget()
        self.plan(plan)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a plan from a JSON file. Raises BadPlan."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadPlan(f"{path} can't be read: {error.strerror}") from error
        except ValueError as error:
            raise BadPlan(f"{path} is not JSON: {error}") from error
        if not isinstance(content, dict) or list(content) != ["faults"] or not isinstance(content["faults"], list):
            raise BadPlan(f'{path}: a plan is {{"faults": [...]}}')
        try:
            return cls([_fault(index, entry) for index, entry in enumerate(content["faults"], start=1)])
        except BadPlan as error:
            raise BadPlan(f"{path}: {error}") from error

    def forget(self) -> None:
        """Remove the plan, whether its faults have happened or not."""
        with self._lock:
            self._plan: list[Fault] = []
            self._happened: Counter[int] = Counter()
            self._calls: Counter[str] = Counter()

    def plan(self, plan: Iterable[Fault]) -> None:
        """Replace the plan and count from 1 again. Raises UnusedFaults if a fault of the old one has not happened."""
        planned = list(plan)
        self.check()
        self.forget()
        with self._lock:
            self._plan = planned

    def next(self, method: str) -> Fault | None:
        """Count a call of the method, and return the fault that is planned for it, if any."""
        with self._lock:
            self._calls[method] += 1
            self._calls[ANY] += 1
            for fault in self._plan:
                number = self._calls[ANY if fault.method == ANY else method]
                if fault.covers(method, number) and fault.applies(method):
                    return fault
        return None

    def happened(self, fault: Fault) -> None:
        """Record that a fault was carried out."""
        with self._lock:
            self._happened[self._plan.index(fault)] += 1

    @property
    def calls(self) -> Mapping[str, int]:
        """How often each method was called since the plan was made; "*" is the sum."""
        with self._lock:
            return Counter(self._calls)

    def unused(self) -> list[str]:
        """Descriptions of the faults that have not happened as often as planned."""
        with self._lock:
            return [
                f"{fault}: happened {self._happened[index]} times in {self._calls[fault.method]} calls"
                for index, fault in enumerate(self._plan)
                if self._happened[index] < (fault.times or 1)
            ]

    def check(self) -> None:
        """Raise UnusedFaults, which names them, if there are any."""
        if unused := self.unused():
            raise UnusedFaults("planned faults that did not happen:\n" + "\n".join(f"  {line}" for line in unused))


_FIELDS = {field.name: field for field in fields(Fault)}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "method": (str,),
    "fault": (str,),
    "call": (int,),
    "times": (int, type(None)),
    "when": (str,),
    "status": (int,),
    "retry_after": (int, type(None)),
    "message": (str,),
    "seconds": (int, float, type(None)),
}


def _fault(index: int, entry: object) -> Fault:
    """Parse one entry of a plan's file. Raises BadPlan."""
    where = f"fault {index}"
    if not isinstance(entry, dict):
        raise BadPlan(f"{where} is not an object")
    known = _only(entry, _FIELDS, where)
    missing = [name for name, field in _FIELDS.items() if field.default is MISSING and name not in known]
    if missing:
        raise BadPlan(f"{where} lacks {' and '.join(missing)}")
    for name, value in known.items():
        if isinstance(value, bool) or not isinstance(value, _TYPES[name]):
            raise BadPlan(f"{where}: {name} can't be {json.dumps(value)}")
    try:
        kind = Kind(known["fault"])
    except ValueError:
        raise BadPlan(f"{where}: no fault {known['fault']!r}; there are {', '.join(Kind)}") from None
    return Fault(**known | {"fault": kind})


def _only(entry: dict[str, Any], names: Iterable[str], where: str) -> dict[str, Any]:
    unknown: Sequence[str] = [name for name in entry if name not in names]
    if unknown:
        raise BadPlan(f"{where}: no setting {', '.join(map(repr, unknown))}; there are {', '.join(names)}")
    return entry
