"""Two runs of the pipeline side by side: what is known to differ, and what may be chance."""

WORKSPACE = "workspace"  # the name of the side that is no revision
