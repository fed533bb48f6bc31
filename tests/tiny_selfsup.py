"""A tiny config of the self-supervised method, and its pictures."""

import tiny

PICTURES = tiny.pictures(64, seed=1)
# Of one layer each, which compiles in half the time.
ONE_LAYER = {
    'encoder__taps': ('relu1_2',),
    'encoder__pools': (False,),
    'encoder__kernels': (3,),
    'encoder__strides': (2,),
    'image_loss__taps': ('pool1',),
    'image_loss__tap_weights': (1.0,),
}


def config(**changes):
    """The tiny config with changes, such as decoder__epochs=1."""
    c = tiny.get_config()
    c.update_from_flattened_dict(tiny.dotted(changes))
    return c
