"""What the command lines of the tools have in common."""

import argparse
from typing import NoReturn

from core.cli.command import InputError, Problem


class Parser(argparse.ArgumentParser):
    """Fails as a stage does, not as argparse would."""

    def error(self, message: str) -> NoReturn:
        raise InputError(Problem(self.prog, message, f"see {self.prog} --help"))
