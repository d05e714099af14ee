"""Photographs that are fetched, checked, rendered in three sizes and published."""
