"""What keeps our copy of the supplier's catalogue."""
