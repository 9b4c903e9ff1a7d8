"""A client that knows the answers from a file, and goes wrong in one way at one case.

    python replay.py ANSWERS BEHAVIOUR CASE

It writes the process ids of itself and its children to ANSWERS.pids, so that a test can see that they are gone.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ANSWERS, BEHAVIOUR, VICTIM = Path(sys.argv[1]), sys.argv[2], sys.argv[3]


def write(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def send(reply):
    write(json.dumps(reply) + "\n")


def record(pid):
    with Path(f"{ANSWERS}.pids").open("a") as file:
        file.write(f"{pid}\n")


def changed(part, key, value):
    """Send the right reply with one thing changed."""

    def behave(reply):
        node = reply
        for step in part:
            node = node[step]
        node[key] = value
        send(reply)

    return behave


def without(key):
    def behave(reply):
        del reply[key]
        send(reply)

    return behave


def forever(write_once):
    def behave(reply):
        while True:
            write_once()

    return behave


def end(reply):
    print("something went terribly wrong", file=sys.stderr)
    sys.exit(3)


def fall(reply):
    os.kill(os.getpid(), signal.SIGKILL)


def chat(reply):
    print("debug: computing")
    send(reply)


def leave_a_child(reply):
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(1000)"])
    record(child.pid)
    time.sleep(1000)


def close_output(reply):
    os.close(1)
    time.sleep(1000)


def complain(reply):
    for _ in range(100):
        sys.stderr.write("x" * 100_000 + "\n")
    send(reply)


def raw(text):
    return lambda reply: write(text + "\n")


# At "evaluate" of the victim.
EVALUATE = {
    "silent": lambda reply: time.sleep(1000),
    "ends": end,
    "falls": fall,
    "chats": chat,
    "other id": lambda reply: send(reply | {"id": reply["id"] + 1}),
    "no id": without("id"),
    "no object": raw("[1, 2]"),
    "not json": raw("{'y': 1}"),
    "not text": lambda reply: os.write(1, b"\xff\xfe\xfa\n"),
    "empty line": raw(""),
    "nested": raw("[" * 100_000),
    "one endless line": forever(lambda: write("0" * 2**20)),
    "endless lines": forever(lambda: write("0\n" * 1000)),
    "leaves a child": leave_a_child,
    "closes its output": close_output,
    "declines": lambda reply: send({"id": reply["id"], "ok": False, "error": "unknown option 'readout'"}),
    "ok is a word": changed([], "ok", "yes"),
    "no ok": without("ok"),
    "no y": without("y"),
    "unknown key": changed([], "why", {"shape": [], "data": [1.0]}),
    "y is a list": changed([], "y", [1.0, 2.0]),
    "y has no data": changed([], "y", {"shape": [2]}),
    "y of another shape": changed([], "y", {"shape": [2, 1], "data": [0.0, 0.0]}),
    "y too short": changed(["y"], "data", [0.0]),
    "y of objects": changed(["y", "data"], 0, {}),
    "y of words": changed(["y", "data"], 0, "much"),
    "y too many axes": changed([], "y", {"shape": [0] * 8, "data": []}),
    "y huge and empty": changed([], "y", {"shape": [0, 10**30], "data": []}),
    "y null": changed(["y", "data"], 0, None),
    "y nan": changed(["y", "data"], 0, float("nan")),
    "y word nan": changed(["y", "data"], 0, "nan"),
    "y beyond float64": changed(["y", "data"], 0, 10**400),
    "y hex beyond float64": changed(["y", "data"], 0, "0x1p+2000"),
    "y zero": changed(["y", "data"], 0, 0.0),
    "state is a list": changed([], "state", []),
    "complains": complain,
}
GRADIENTS = {
    "ends at gradients": end,
    "silent at gradients": lambda reply: time.sleep(1000),
    "declines gradients": lambda reply: send({"id": reply["id"], "ok": False, "error": "forward only"}),
}
# At the start, every time.
START = {
    "silent from the start": lambda reply: time.sleep(1000),
    "says hello": chat,
    "another protocol": changed([], "protocol", 2),
    "refuses to start": lambda reply: send({"id": reply["id"], "ok": False, "error": "protocol 1 is unknown"}),
    "no dtype": without("dtype"),
    "half precision": changed([], "dtype", "float16"),
    "ends at the start": end,
}


def main():
    record(os.getpid())
    answers = json.loads(ANSWERS.read_text())["answers"]
    case = None
    for line in sys.stdin:
        request = json.loads(line)
        reply, kind = {"id": request["id"], "ok": True}, request["kind"]
        behave = send
        if kind == "stop":
            if BEHAVIOUR == "does not stop":
                time.sleep(1000)
            break
        if kind == "start":
            reply |= {"name": "replay", "dtype": "float64"}
            behave = START.get(BEHAVIOUR, send)
        elif kind == "define":
            case = request["case"]
            if BEHAVIOUR == "silent at every case":
                time.sleep(1000)
        elif kind == "evaluate":
            reply |= {key: answers[case][key] for key in ("y", "state")}
            behave = EVALUATE.get(BEHAVIOUR, send) if case == VICTIM else send
        else:
            reply |= answers[case]["gradients"]
            behave = GRADIENTS.get(BEHAVIOUR, send) if case == VICTIM else send
        behave(reply)


main()
