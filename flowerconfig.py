"""Read by Flower at its start: every route behind the password, and nothing can be changed unless that is asked for."""

from project.env import surroundings
from project.flower_guard import guard

guard()
read_only = surroundings().get("FLOWER_READ_ONLY", "true").lower() not in {"false", "0", "no"}
