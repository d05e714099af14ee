"""What is done to orders. One file a concern; each function is one transaction and may be called twice."""
