"""What people run beside the pipeline."""

import stages  # noqa: F401 - first, so that an interrupt ends a tool in one line from its start
