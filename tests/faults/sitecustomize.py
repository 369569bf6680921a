"""Stops a Python process at a point that is the same in every run, whatever the clock says.

With this folder on PYTHONPATH, Python runs this as it starts, in each process of a pipeline, DVC included. FAULT, as
JSON, says of which one: `program`, as after `python -m`; at which event: the `count`-th audit event (PEP 578) named
`event` whose arguments name `having`, either of them empty for any; and what happens then, `act`:

    "SIGTERM self", "SIGKILL parent", "SIGINT group": a signal, and who gets it
    "limit 1000": no file may become larger than that, from then on
    "hold FOLDER": says so by the file `held` there, and waits for what is written to the FIFO `go` there

Where ACTED is the name of a file, that is made just before: a fault that never came would prove nothing.

With EVENTS instead, a folder, each process leaves the number of its audit events there, in a file named as its program.
"""

import json
import os
import resource
import signal
import sys


def _hold(folder):
    with open(os.path.join(folder, "held"), "w", encoding="utf-8") as file:
        file.write(str(os.getpid()))
    with open(os.path.join(folder, "go"), encoding="utf-8") as fifo:
        fifo.read()


def _act(act, argument):
    if "ACTED" in os.environ:
        open(os.environ["ACTED"], "wb").close()
    if act == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(argument), int(argument)))
    elif act == "hold":
        _hold(argument)
    elif argument == "group":
        os.killpg(0, getattr(signal, act))
    else:
        os.kill(os.getpid() if argument == "self" else os.getppid(), getattr(signal, act))


def _watch(event, having, count, act):
    left = count

    def hook(name, arguments):
        nonlocal left
        if left and event in ("", name) and having in str(arguments):
            left -= 1
            if not left:
                _act(*act.split())

    sys.addaudithook(hook)


def _count(file):
    import atexit

    seen = 0

    def hook(*_):
        nonlocal seen
        seen += 1

    def write():
        with open(file, "w", encoding="utf-8") as target:
            target.write(str(seen))

    sys.addaudithook(hook)
    atexit.register(write)


if "-m" in sys.orig_argv:
    _program = sys.orig_argv[sys.orig_argv.index("-m") + 1]
    # Whoever runs the tests in the background of a shell has all of them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "EVENTS" in os.environ:
        _count(os.path.join(os.environ["EVENTS"], _program))
    elif "FAULT" in os.environ:
        _fault = json.loads(os.environ["FAULT"])
        if _fault.pop("program") == _program:
            _watch(**_fault)
