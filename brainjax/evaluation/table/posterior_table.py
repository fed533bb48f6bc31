"""Items of `score_table.SCORES` on draws from a posterior over pictures."""

import functools
import math

from brainjax.evaluation.table.score_item import Item, correlation, distance

NEXT = 'draws of another picture in place of its own'

calibrated = functools.partial(
    Item, worst=0.0, chance=NEXT, percent=False, calibrated=True
)

POSTERIOR = {
    r'coverage_(\d+)': calibrated(
        'Coverage, {0} %',
        'How many values of the picture that was seen lie inside the central '
        '{0} % of the draws. It is to be {0} %: above, the draws spread too '
        'much, below, too little.',
        best=1.0,
        percent=True,
    ),
    'rank_dispersion': calibrated(
        'Dispersion of ranks',
        'Where the picture that was seen stands among its draws, along the '
        'principal axes. It is to be 1: above, the draws spread too little or '
        'lie beside it, below, they spread too much. p asks both '
        'whether it is 1 and whether the ranks along each axis are uniform.',
        best=3.0,
    ),
    'sharpness_draw': calibrated(
        'Sharpness of a draw',
        'Power above half the Nyquist frequency, over that of the pictures '
        'that were seen. It is to be 1; less is blurred, more is noise.',
        best=math.inf,
        chance='none',
    ),
    'sharpness_mean': calibrated(
        'Sharpness of the mean',
        'The same, of the mean of draws: the less is known of details, the '
        'farther it is below 1.',
        best=math.inf,
        chance='none',
    ),
    'crps': distance(
        'CRPS',
        'Continuous ranked probability score of each value, of 0 to 1: the '
        'error that is expected of a draw, less half the distance of two '
        'draws. It rewards draws that are near and spread as they err.',
        worst=1.0,
    ),
    'energy_score': distance(
        'Energy score',
        'The same of whole pictures, with the root mean square distance of '
        'two pictures: values must vary together as they should.',
        worst=1.0,
    ),
    'deviation_error': correlation(
        'Deviation and error',
        'Correlation of the standard deviation of draws with the absolute '
        'error of their mean, over the values of a picture: do draws differ '
        'where the mean is wrong?',
    ),
    'deviation_error_pooled': correlation(
        'Deviation and error, pooled',
        'The same, over the values of all pictures together.',
    ),
    'information': Item(
        'Information, bits',
        'Mean log ratio of the densities of posterior and prior at the picture '
        'that was seen: what the responses said of it.',
        worst=-math.inf,
        best=math.inf,
        chance='0, or the same, permuted across stimuli',
        percent=False,
    ),
    'information_shuffled': Item(
        'Information of wrong pairs, bits',
        'The same, of the same fitted model, from the responses to other '
        'pictures. Far below 0 is what a model gives that uses the response: '
        'it was told of another picture. That a model fitted to shuffled '
        'responses tells 0 is another test, which a run does not make.',
        worst=-math.inf,
        best=math.inf,
        chance='0',
        percent=False,
    ),
}
