"""Runs a program that starts processes with torch's launcher: they are forked, so each has torch loaded already.

`python -m tests.model_src.launched MODULE`. Each process loads all but the libraries again, as a new one would. Loading
torch takes longer than all that such a process does in a test.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from torch.distributed.elastic.multiprocessing.subprocess_handler import SubprocessHandler
from torch.distributed.elastic.rendezvous import dynamic_rendezvous

from tests.warm import run_as_main


class _Forked(subprocess.Popen[bytes]):
    """A process of `python -m MODULE`, as its starter sees it."""

    def _execute_child(self, args: Sequence[str], *settings: Any) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            _become([*args], settings[_ENVIRONMENT])


_ENVIRONMENT = 5
"""Where `Popen` passes the variables: after executable, preexec_fn, close_fds, pass_fds and cwd."""


def _become(command: list[str], environment: Mapping[str, str]) -> None:
    """What a new process would be: nothing of the one that it was forked from but its libraries."""
    try:
        os.setsid()
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        logging.disable(logging.NOTSET)
        weakref.finalize._registry.clear()  # type: ignore[attr-defined]  # else its end removes the other's folders
        os.environ.clear()
        os.environ.update(environment)
        for name in [name for name in sys.modules if name.partition(".")[0] in ("model_src", "benchmarks")]:
            del sys.modules[name]
        run_as_main(command[command.index("-m") + 1 :])
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(1)  # if it did not begin, or fails: a program that runs to its end ends this process


def _popen(self: SubprocessHandler, args: Sequence[str], env: Mapping[str, str]) -> _Forked:
    return _Forked(args, env=env)


if __name__ == "__main__":
    SubprocessHandler._popen = _popen  # type: ignore[method-assign]
    # The name of the calling function, for notes that nobody reads: to find it takes most of the time of a start.
    dynamic_rendezvous.get_method_name = lambda *_: ""
    run_as_main(sys.argv[1:])
