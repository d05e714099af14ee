"""Public helpers for testing jobs with real processes."""
