"""A child process that speaks in lines: written to and read from without ever waiting for it longer than allowed."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import IO

LINE_LIMIT = 2**24
"""The longest line that is read, in bytes; the golden vectors ask for some 100 kB."""

_CHUNK = 2**16
_STDERR_KEPT = 2**11
_PATIENCE = 1.0  # seconds for threads to end and output to arrive, once the process is gone


class SilenceError(Exception):
    """No line came in time."""


class EndError(Exception):
    """The process closed its standard output."""


class FloodError(Exception):
    """A line was longer than ``LINE_LIMIT``."""


class Child:
    """A running program with threads at its three pipes.

    The main thread never touches a pipe: a program that does not read, does not write, or writes without end costs no
    more than the time it is given. Reading stops while a line waits to be taken, so a flood stays in the pipe.

    Parameters
    ----------
    command : sequence of str
        Program and arguments; no shell.

    Raises
    ------
    OSError
        The program cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        # A group of its own, so that the program's own children end with it, and Ctrl-C reaches us alone.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._killed = threading.Event()
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lines: queue.Queue[bytes | Exception] = queue.Queue(maxsize=1)
        self._stderr = b""
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._write, self._read, self._read_stderr)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, line: bytes) -> None:
        """Hand over a line, to be written when the program reads."""
        self._requests.put(line)

    def receive(self, timeout: float) -> bytes:
        """The next line of standard output, without its end.

        Raises
        ------
        SilenceError, EndError, FloodError
        """
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty as error:
            raise SilenceError from error
        if isinstance(line, Exception):
            raise line
        return line

    def last_words(self) -> str:
        """The end of what the program wrote to standard error."""
        return self._stderr.decode("utf-8", "replace").strip()

    def ended(self) -> str:
        """How the program ended, or that it has not."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(_PATIENCE)
            self._threads[2].join(_PATIENCE)  # its last words may still be on their way
            if status >= 0:
                return f"ended with status {status}"
            with contextlib.suppress(ValueError):  # a signal without a name
                return f"was ended by signal {signal.Signals(-status).name}"
            return f"was ended by signal {-status}"
        return "closed its standard output"

    def stop(self, timeout: float) -> None:
        """Close the program's input, give it time to end by itself, and make sure that it has."""
        self._requests.put(None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End the program and everything it has started; nothing is left running, and no zombie."""
        self._killed.set()
        self._requests.put(None)
        if os.name == "posix":
            # The group outlives its leader as long as one of its processes does.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _write(self) -> None:
        pipe = self._pipe(self._process.stdin)
        with pipe, contextlib.suppress(OSError):  # the program no longer reads
            while (line := self._requests.get()) is not None:
                view = memoryview(line)
                while view:
                    view = view[pipe.write(view) :]

    def _read(self) -> None:
        pipe = self._pipe(self._process.stdout)
        with pipe:
            line = bytearray()
            while chunk := pipe.read(_CHUNK):
                *ends, rest = chunk.split(b"\n")
                for end in ends:
                    if not self._hand_over(bytes(line + end)):
                        return
                    line.clear()
                line += rest
                if len(line) > LINE_LIMIT:
                    self._hand_over(FloodError())
                    return
            self._hand_over(EndError())

    def _hand_over(self, line: bytes | Exception) -> bool:
        """Wait until ``line`` can be taken; False once nobody will."""
        while not self._killed.is_set():
            with contextlib.suppress(queue.Full):
                self._lines.put(line, timeout=0.1)
                return True
        return False

    def _read_stderr(self) -> None:
        pipe = self._pipe(self._process.stderr)
        with pipe:
            while chunk := pipe.read(_CHUNK):
                self._stderr = (self._stderr + chunk)[-_STDERR_KEPT:]

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe
