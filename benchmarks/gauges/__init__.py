"""What `./run bench delivery` measures, a file each."""
