"""
Scores with chance and interval
===============================

A score means little without what chance would give and how sure it is. Every
score has both, and a permutation p. The pictures here are the true ones under
noise; ``brainjax evaluate MADE SEEN --out W`` scores folders of any method.
"""

import numpy as np

from brainjax import evaluation
from brainjax.evaluation.table.score_table import in_line
from brainjax.reports import score_plots
from brainjax.simulation import scenes

seen, _, _ = scenes.scenes(30, 32, seed=0)
noise = np.random.default_rng(0).normal(0, 0.8, seen.shape)
made = np.float32((seen / 255 + noise).clip(0, 1))

scores = evaluation.score(seen, made, features={}, draws=2000)
for name, score in scores.items():
    print(f'{name:20s} {in_line(score)}')

figure = score_plots.bars(scores)
