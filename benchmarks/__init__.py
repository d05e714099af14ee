"""Measurements behind the figures in the docs: `./run bench NAME`."""
