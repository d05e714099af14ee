"""What is done to images. One file a concern; each function may be called twice and leaves the same behind."""
