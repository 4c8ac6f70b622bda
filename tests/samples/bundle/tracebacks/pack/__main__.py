import sys

from . import engine


def chained():
    try:
        engine.fail("first")
    except RuntimeError as error:
        raise ValueError("second") from error


def context():
    try:
        engine.fail("first")
    except RuntimeError:
        engine.fail("while handling it")


def group():
    raise ExceptionGroup("several", [ValueError("a"), TypeError("b")])


def broken():
    from . import broken


def thread():
    import threading

    worker = threading.Thread(target=engine.fail, args=("in a thread",), name="worker")
    worker.start()
    worker.join()


def at_exit():
    import atexit

    atexit.register(engine.fail, "at the exit")


def own_hook():
    sys.excepthook = lambda kind, error, trace: print("own hook:", kind.__name__, error)
    engine.fail("seen by it")


def logged():
    import logging

    try:
        engine.fail("logged")
    except RuntimeError:
        logging.exception("it went wrong")


def interrupted():
    raise KeyboardInterrupt


def asyncio_task():
    import asyncio

    async def task():
        engine.fail("in a task")

    asyncio.run(task())


def noted():
    error = RuntimeError("with a note")
    error.add_note("the note")
    raise error


def deleted():
    class Thing:
        def __del__(self):
            engine.fail("unraisable")

    Thing()


def missing():
    import not_there_at_all


def assertion():
    assert 1 == 2, "no"


def several_lines():
    engine.fail(
        "over several "
        "lines"
    )


globals()[sys.argv[1]]()
