"""What shows how the system is, and the chores that keep it well."""
