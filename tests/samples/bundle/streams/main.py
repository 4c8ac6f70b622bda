import os
import sys

print('ä😀', sys.stdout.encoding, sys.flags.dev_mode)
sys.stdout.buffer.write(b'\xff\x00\n')
sys.stdout.flush()
print('to stderr', file=sys.stderr)
os.write(1, b'raw\n')
sys.stdout.write('no newline at the end')
