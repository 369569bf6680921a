"""Stop a Python process at a point that is the same in every run, on a fast machine and a slow one.

With this folder on PYTHONPATH, Python imports this module as it starts, in each process of a pipeline. FAULT is JSON:
`program` is the module that is stopped, as after `python -m`. The point is the `count`-th audit event (PEP 578) that is
named `event` and has `having` in its arguments; both may be empty. `act` is what happens there:

    "SIGTERM self", "SIGKILL parent", "SIGINT group": a signal, and who gets it
    "limit 1000": no file may become larger than that, from then on
    "hold FOLDER": says so by the file `held` there, and waits for what is written to the FIFO `go` there

ACTED names a file that is written just before: a fault that never came would prove nothing.
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


if "-m" in sys.orig_argv:
    _program = sys.orig_argv[sys.orig_argv.index("-m") + 1]
    # A shell that runs the tests in the background makes them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "FAULT" in os.environ:
        _fault = json.loads(os.environ["FAULT"])
        if _fault.pop("program") == _program:
            _watch(**_fault)
