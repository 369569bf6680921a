"""Serve a page on which people try the networks: python -m tools.serve.

Uploaded pictures are in a temporary folder, which is deleted at the end.
"""

import os
import socket
import tempfile
from contextlib import suppress

from core.cli import command, extras
from core.cli.command import Parser
from core.cli.errors import InputError, Problem


def declare(parser: Parser) -> None:
    """Add the arguments of `main`."""
    where = "address to listen on; default: %(default)s, this machine alone; 0.0.0.0: everybody on the network"
    parser.add_argument("--host", default="127.0.0.1", help=where)
    parser.add_argument("--port", type=int, default=7860, help="0 for any free port; default: %(default)s")


def main(host: str, port: int) -> None:
    """Serve a page on which people draw or choose a picture, and see what the networks predict, until Ctrl-C."""
    extras.require("gradio", "the page needs it")
    with _listening(host, port) as listener, tempfile.TemporaryDirectory(prefix="serve-") as uploads:
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": uploads}  # before gradio is imported
        import uvicorn

        from tools.predict import classify
        from tools.serve import page

        application = page.application(classify.load())
        config = uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=1)
        name, number, *_ = listener.getsockname()
        with suppress(KeyboardInterrupt):
            print(f"open http://{f'[{name}]' if ':' in name else name}:{number}/ in a browser; Ctrl-C ends the server")
            uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        problem = Problem("--port", "no such port", expected="0 to 65535", got=str(port), fix="leave --port out")
        raise InputError(problem)
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        what = (error.strerror or str(error)).partition(" (while")[0]  # Python adds the address
        fix = "python -m tools.serve --port 0, which takes any free port"
        raise InputError(Problem(f"--host {host} --port {port}", what, fix=fix)) from error


if __name__ == "__main__":
    command.run(main, declare)
