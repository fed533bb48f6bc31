"""Ridge regression from voxels to units, each unit with its own k voxels.

For each unit u, of the features of pictures, the k voxels J whose correlation
with u is largest in magnitude, and over those

    minimise |X_J w + b - y|^2 + alpha (|w|^2 + b^2)

where X are the voxels of all trials, z-scored over them, and y is the unit,
z-scored over pictures, one value for each trial (Shen et al. 2019; the
equations of FastL2LiR). Three identities make this cheap:

* Voxels that are z-scored over the trials correlate with y in proportion to
  R = X^T y, so the k largest |R| are the voxels to select.
* With E [trials, pictures], 1 where a trial showed a picture, R = (X^T E) y:
  y is never repeated for the trials.
* Voxels that are centred leave b to itself. Where they are not z-scored, the
  penalty of b is that of one more trial (see `Prepared`).

Nothing here holds weights of more units than one block; fourteen million units
are decoded in a few gigabytes. `equations` holds what all units share,
`decoding` goes through the units, which `host` solves on a CPU and `device`,
in JAX, on accelerators; `choice` finds k and alpha by cross-validation.
"""

from brainjax.linear.ridge.choice import Choice, select_alpha_k
from brainjax.linear.ridge.decoding import (
    UNITS_AT_A_TIME,
    Weights,
    decode,
    decoder,
    fitter,
)
from brainjax.linear.ridge.equations import (
    Bias,
    Prepared,
    Units,
    check_penalty,
    prepare,
    scale_fmri,
    scale_units,
)

__all__ = [
    'UNITS_AT_A_TIME',
    'Bias',
    'Choice',
    'Prepared',
    'Units',
    'Weights',
    'check_penalty',
    'decode',
    'decoder',
    'fitter',
    'prepare',
    'scale_fmri',
    'scale_units',
    'select_alpha_k',
]
