"""What proves the claims about speed and accuracy: whole processes, timed from outside, rivals in the same run."""

import stages  # noqa: F401 - first, so that an interrupt ends a benchmark in one line from its start
