import os
import signal
import sys
import threading


def leave(number, frame):
    print('told to leave', flush=True)
    sys.exit(5)


name, handled = sys.argv[1:]
if handled == 'handled':
    signal.signal(getattr(signal, name), leave)
elif handled == 'ignored':
    signal.signal(getattr(signal, name), signal.SIG_IGN)
print([signal.getsignal(each) for each in (signal.SIGPIPE, signal.SIGTERM, signal.SIGHUP)][:1], flush=True)
os.kill(os.getpid(), getattr(signal, name))
print('goes on')
