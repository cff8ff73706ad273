"""Networks that people bring, built with seeded weights: each engine's time on them, and what limits it."""
