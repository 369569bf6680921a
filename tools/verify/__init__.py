"""Whether every output is still what dvc.lock says, byte by byte."""
