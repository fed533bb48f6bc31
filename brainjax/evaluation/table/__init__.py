"""Every score by name: what it is called and means, and how it is read."""
