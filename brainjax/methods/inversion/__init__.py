"""Deep image reconstruction (Shen et al. 2019)."""
