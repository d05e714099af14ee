"""The domains. Each is a Django app that shows one kind of background work, end to end."""
