import os
import sys


class Leave(SystemExit):
    pass


what = sys.argv[1]
print('leaves with', what, flush=True)
if what == 'fork':
    for code in (0, 1, 2, 77, 127, 128, 254, 255):
        if (child := os.fork()) == 0:
            sys.exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
elif what == 'hard':
    os._exit(7)
elif what == 'subclass':
    raise Leave(9)
else:
    sys.exit(eval(what))
