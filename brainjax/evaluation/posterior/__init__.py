"""Are draws from a posterior calibrated, sharp and informative?"""
