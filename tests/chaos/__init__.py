"""Killing things and counting what is lost: `./run chaos NAME`, and short forms of it in the suite."""
