"""Pictures drawn from the posterior: see `method`."""
