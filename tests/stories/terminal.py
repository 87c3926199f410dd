# SPDX-License-Identifier: Apache-2.0
"""Somebody at a terminal: a command that asks there, and answers that are typed."""
import os
import pty
import select
import signal
import time

SECONDS = 60


class Terminal:
    def __init__(self, *command):
        self.status = None
        self.seen = ""
        self.mark = 0  # what was waited for up to here
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execv(str(command[0]), [str(word) for word in command])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.end()
        os.close(self.descriptor)

    def read(self, deadline):
        """Something more of what is shown; False: no more comes."""
        ready, _, _ = select.select([self.descriptor], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"nothing more after: {self.seen!r}"
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def wait(self, text):
        """Until it is shown, beyond what was waited for before."""
        deadline = time.monotonic() + SECONDS
        while text not in self.seen[self.mark:]:
            assert self.read(deadline), f"it ended without {text!r}: {self.seen!r}"
        self.mark = self.seen.index(text, self.mark) + len(text)

    def type(self, line):
        os.write(self.descriptor, line.encode() + b"\n")

    def answer(self, question, line):
        self.wait(question)
        time.sleep(0.1)  # the echo goes off just before the question, and what came earlier is thrown away
        self.type(line)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        return self.end()

    def end(self):
        """Its exit status; -9 where it was killed."""
        deadline = time.monotonic() + SECONDS
        while self.status is None and self.read(deadline):
            pass
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status
