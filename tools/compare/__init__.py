"""Two runs of the pipeline side by side: what is known to differ, and what may be chance."""
