"""Asks a process with loaded libraries for a program, which takes this one's place: `coord` of `tests.forked`.

`python -IS asking.py DESCRIPTOR MODULE ARGUMENT...`: it imports as little as it can, because it is started each time.
"""

from _socket import SCM_RIGHTS, SOL_SOCKET, socket
from array import array
from json import dumps
from os import _exit, environ, getcwd, pipe, read, waitstatus_to_exitcode
from struct import unpack
from sys import argv

starter, command = int(argv[1]), argv[2:]
answer, tells = pipe()
request = dumps([command, getcwd(), dict(environ), False]).encode()  # noqa: PTH109  # pathlib takes as long as the rest
descriptors = array("i", [0, 1, 2, tells, starter])
socket(fileno=starter).sendmsg([request], [(SOL_SOCKET, SCM_RIGHTS, descriptors)])
read(answer, 4)  # its process id
_exit(waitstatus_to_exitcode(unpack("i", read(answer, 4))[0]) & 0xFF)
