"""The verbs, by topic: each a plain blocking function that returns its one final reply."""
