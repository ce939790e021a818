"""A person at a terminal: runs a command in one, types an answer when asked, prints what was shown.

terminal.py WAIT_FOR ANSWER COMMAND…: ends with the command's status.
"""

import os
import pty
import sys
import time

wanted, answer, command = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3:]
PATIENCE = 60

child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
shown, answered = b"", False
until = time.monotonic() + PATIENCE
while time.monotonic() < until:
    try:
        part = os.read(terminal, 65536)
    except OSError:  # Linux: the last process has closed the terminal
        break
    if not part:
        break
    shown += part
    if not answered and wanted in shown:
        os.write(terminal, answer + b"\n")
        answered = True
else:
    os.kill(child, 9)
    print("waited too long")
_, status = os.waitpid(child, 0)
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(status))
