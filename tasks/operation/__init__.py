"""And somebody watches: what shows how the system is."""
