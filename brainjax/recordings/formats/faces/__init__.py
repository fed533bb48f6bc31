"""The files of ds001761 (VanRullen & Reddy 2019): derivatives and BOLD runs."""
