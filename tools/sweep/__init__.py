"""The experiments of a commit side by side, in the order of their validation accuracy."""
