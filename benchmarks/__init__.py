"""What proves the claims about speed and accuracy: whole processes, timed from outside, rivals in the same run."""
