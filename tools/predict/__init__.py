"""Anybody's pictures, classified by the networks of the pipeline."""
