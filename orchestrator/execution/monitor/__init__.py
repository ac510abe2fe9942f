"""Where a study stands while it trains, from a run's events or from the store."""
