"""What is done to reports: asking for one, building it, keeping its files."""
