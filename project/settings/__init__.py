"""Settings: `base` for all, and `local`, `test`, `production` on top of it."""
