"""Sync with systems of others."""
