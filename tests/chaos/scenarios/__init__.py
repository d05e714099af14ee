"""One file a kind of harm. Each function plays it in an arena; the arena counts."""
