"""Self-supervised encoder and decoder (Gaziv et al. 2022)."""
