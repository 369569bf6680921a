"""Serve the page until Ctrl-C. Uploaded pictures are in a temporary folder, which is deleted at the end."""

import os
import socket
import tempfile
from contextlib import suppress

from core.cli.errors import InputError, Problem
from tools.predict import classify


def serve(host: str, port: int) -> None:
    """Answer requests until Ctrl-C. Raises InputError if the address can't be used, or if there are no networks yet."""
    with _listening(host, port) as listener, tempfile.TemporaryDirectory(prefix="serve-") as uploads:
        ensemble = classify.load()
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": uploads}  # before gradio is imported
        import uvicorn

        from tools.serve import page

        config = uvicorn.Config(page.application(ensemble), log_level="warning", timeout_graceful_shutdown=1)
        name, number, *_ = listener.getsockname()
        print(f"open http://{f'[{name}]' if ':' in name else name}:{number}/ in a browser; Ctrl-C ends the server")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:  # OverflowError: no such port
        what = getattr(error, "strerror", None) or str(error)
        fix = "give --port 0 for any free port, and no --host"
        raise InputError(Problem(f"--host {host} --port {port}", what, fix=fix)) from error
