"""It is kept, once: what happens while a job runs."""
