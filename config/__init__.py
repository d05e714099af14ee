"""Values only: names as strings, figures with their units. No environment, no Django, no task imports."""
