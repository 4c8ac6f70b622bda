def fail(what):
    raise RuntimeError(what)
