"""Serve a page to try the networks on: python -m tools.serve."""

from importlib.util import find_spec

from core.cli import command
from core.cli.command import Parser
from core.cli.errors import InputError, Problem


def declare(parser: Parser) -> None:
    """Add the arguments of `main`."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="who can open the page: %(default)s, the default, is this "
        "machine alone; 0.0.0.0 is everybody on the network",
    )
    parser.add_argument("--port", type=int, default=7860, help="0 for any free port; default: %(default)s")


def main(host: str, port: int) -> None:
    """Serve a page on which people draw or choose a picture, and see what the networks of the pipeline predict."""
    if find_spec("gradio") is None:
        fix = 'make setup, or python -m pip install "gradio>=6.12"'
        raise InputError(Problem("gradio", "not installed, and the page needs it", fix=fix))
    from tools.serve import server  # TensorFlow and gradio take seconds to start

    server.serve(host, port)


if __name__ == "__main__":
    command.run(main, declare)
