"""Faces from a VAE-GAN's latents (VanRullen & Reddy 2019)."""
