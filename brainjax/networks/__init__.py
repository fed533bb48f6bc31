"""Networks: pure functions over explicit parameters."""
