"""Every way to die, with real workers."""
