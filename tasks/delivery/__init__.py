"""The leased Redis transport: so far its intake, which its readers already know."""
