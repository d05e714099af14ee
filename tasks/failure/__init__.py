"""Or it is told why not: what happens to a job that fails."""
