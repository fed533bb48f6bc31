"""Pictures: where they come from, how they are decoded and resized."""
