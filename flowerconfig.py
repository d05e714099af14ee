"""Read by Flower at its start: every route behind the password, and nothing can be changed unless that is asked for."""

from pathlib import Path

from project.env import surroundings
from project.flower_guard import guard

guard()
if password_file := surroundings().get("FLOWER_BASIC_AUTH_FILE"):  # FLOWER_BASIC_AUTH is read by Flower itself
    basic_auth = [Path(password_file).read_text().strip()]
read_only = surroundings().get("FLOWER_READ_ONLY", "true").lower() not in {"false", "0", "no"}
