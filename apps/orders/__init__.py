"""A catalogue with stock, and orders that are reserved, charged, shipped and confirmed."""
