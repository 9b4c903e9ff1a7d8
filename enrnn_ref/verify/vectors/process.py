"""A program in any language as an implementation: JSON lines on its standard input and output."""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from enrnn_ref.arrays import number
from enrnn_ref.errors import OptionError
from enrnn_ref.verify.vectors.answer import Answer, Node, Unusable
from enrnn_ref.verify.vectors.case import Case
from enrnn_ref.verify.vectors.child import LINE_LIMIT, Child, EndError, FloodError, SilenceError
from enrnn_ref.verify.vectors.decoding import decoded, encoded, encoded_all, parse
from enrnn_ref.verify.vectors.schema import misfits, shortened, validator
from enrnn_ref.verify.verdicts import Verdict

PROTOCOL = 1
PATIENCE = 3
"""How many starts in a row may fail, or a program be silent that has never answered, before it is given up."""

_STOPPING = 2.0  # seconds to end after "stop"
_LAST_WORDS = 300  # characters of standard error that a report quotes

_REPLY = {
    "start": "started",
    "define": "defined",
    "evaluate": "evaluated",
    "gradients": "differentiated",
}


class Program:
    """A program that speaks the protocol of ``data/protocol.schema.json``.

    It is started once. When it is silent, ends, or sends what is no reply, it is killed, with all that it has started,
    and started anew for the next case.

    Parameters
    ----------
    command : str
        The program and its arguments, split as a POSIX shell would; no shell is involved.
    timeout : float
        Seconds it has for every reply.

    Attributes
    ----------
    name : str
        What reports call it: the command.

    Raises
    ------
    OptionError
        ``command`` is empty or has an open quotation mark, ``timeout`` is not a positive number.
    DependencyError
        jsonschema is not installed.
    """

    def __init__(self, command: str, timeout: float = 60.0) -> None:
        try:
            self._command = shlex.split(command)
        except ValueError as error:
            raise OptionError(f"command is {command!r}: {error}; expected a program and its arguments.") from error
        if not self._command:
            raise OptionError("command is empty; expected a program and its arguments.")
        self._timeout = number("timeout", timeout, open_=True)
        self.name = command
        validator("protocol", "reply")  # what is not installed is missed here, and not in the middle

    def answers(self, cases: Sequence[Case]) -> Generator[Answer, None, None]:
        """The answer to each case, in their order. At its end, or when it is closed, the program is gone."""
        conversation = _Conversation(self._command, self._timeout)
        try:
            for case in cases:
                content = conversation.answer(case)
                yield Answer(case, content, conversation.dtype)
            conversation.stop()
        finally:
            conversation.kill()


class _Conversation:
    """Requests to one running program after the other, and what came back."""

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self.dtype = np.dtype(np.float64)
        self._command, self._timeout = command, timeout
        self._child: Child | None = None
        self._request = 0
        self._failed_starts = self._silences = 0
        self._has_answered = False

    def answer(self, case: Case) -> Node:
        """What the program makes of ``case``; of its gradients alone something may be wrong."""
        if self._failed_starts == PATIENCE:
            return _no_answer(f"not asked, after {PATIENCE} failed starts in a row")
        if self._silences == PATIENCE:
            return _no_answer(f"not asked, after {PATIENCE} silences of a program that has never answered")
        if self._child is None:
            problem = self._start()
            self._failed_starts = 0 if problem is None else self._failed_starts + 1
            if problem is not None:
                return problem
        options = {"case": case.id, "model": case.model, "options": case.options}
        point = {"params": encoded_all(case.params), "x": encoded(case.x), "state": encoded_all(case.state)}
        defined = self._ask("define", options | point)
        if isinstance(defined, Unusable):
            return defined
        evaluated = self._ask("evaluate", {})
        if isinstance(evaluated, Unusable):
            return evaluated
        cotangents = {"dy": encoded(case.dy), "dstate": encoded_all(case.dstate)}
        return evaluated | {"gradients": self._ask("gradients", cotangents)}

    def stop(self) -> None:
        """Ask the program to end."""
        if self._child is not None:
            self._child.send(self._line("stop", {}))
            self._child.stop(_STOPPING)

    def kill(self) -> None:
        """End the program, if there is one."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _start(self) -> Unusable | None:
        try:
            self._child = Child(self._command)
        except (OSError, ValueError) as error:  # ValueError: a null character
            return _no_answer(f"cannot be started: {error}")
        started = self._ask("start", {"protocol": PROTOCOL})
        if isinstance(started, Unusable):
            self.kill()
            return started
        self.dtype = np.dtype(started["dtype"])
        return None

    def _ask(self, kind: str, content: dict[str, Any]) -> dict[str, Any] | Unusable:
        """The reply to one request, without its frame, its arrays decoded where it has any."""
        assert self._child is not None
        self._child.send(self._line(kind, content))
        try:
            reply = self._reply(kind)
        except _NoReplyError as error:
            return self._lost(str(error))
        self._has_answered = self._has_answered or kind != "start"
        frame = {"id", "ok"}
        if reply.get("ok") is False:
            return _no_answer(f"declined {kind!r}: {shortened(str(reply.get('error', 'without an error')))}")
        if reply.get("ok") is not True:
            return Unusable(Verdict.SHAPE, f'the reply to {kind!r} has no "ok" that is true or false')
        flaws = misfits("protocol", _REPLY[kind], reply)
        content = {key: value for key, value in reply.items() if key not in frame}
        if kind in ("evaluate", "gradients"):
            return {key: decoded(value, flaws, (key,)) for key, value in content.items()}
        for place, message in flaws.items():
            inside = f" at {'.'.join(map(str, place))}" if place else ""
            return Unusable(Verdict.SHAPE, f"the reply to {kind!r} does not fit the schema{inside}: {message}")
        return content

    def _line(self, kind: str, content: dict[str, Any]) -> bytes:
        self._request += 1
        return json.dumps({"id": self._request, "kind": kind, **content}, allow_nan=False).encode() + b"\n"

    def _reply(self, kind: str) -> dict[str, Any]:
        """The next line as the reply to the request just sent."""
        assert self._child is not None
        try:
            line = self._child.receive(self._timeout)
        except SilenceError as error:
            if not self._has_answered:
                self._silences += 1
            hint = "is standard output flushed after every line?"
            raise _NoReplyError(f"no reply to {kind!r} within {self._timeout:g} s ({hint})") from error
        except EndError as error:
            raise _NoReplyError(f"the program {self._child.ended()} before it replied to {kind!r}") from error
        except FloodError as error:
            raise _NoReplyError(
                f"more than {LINE_LIMIT} bytes without an end of line, as a reply to {kind!r}"
            ) from error
        try:
            reply = parse(line)
        except ValueError as error:
            came = shortened(line[:1000].decode("utf-8", "replace"))
            raise _NoReplyError(f"the reply to {kind!r} is not JSON: {came!r}") from error
        if not isinstance(reply, dict) or reply.get("id") != self._request:
            came = shortened(line[:1000].decode("utf-8", "replace"))
            raise _NoReplyError(f"the reply to {kind!r}, request {self._request}, does not carry its id: {came}")
        return reply

    def _lost(self, detail: str) -> Unusable:
        """After this the program and we would talk at cross purposes: end it."""
        assert self._child is not None
        words = " ".join(self._child.last_words().split())[-_LAST_WORDS:]
        self.kill()
        return _no_answer(f"{detail}; its standard error ends: {words}" if words else detail)


class _NoReplyError(Exception):
    """What came is no reply to the request, or nothing did; the message is a report's detail."""


def _no_answer(detail: str) -> Unusable:
    return Unusable(Verdict.NO_ANSWER, detail)
