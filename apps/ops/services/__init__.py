"""The chores that keep the system well."""
