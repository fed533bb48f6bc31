"""Ridge, latent map and posterior with scikit-learn's interface.

None of them needs scikit-learn. `sklearn.utils.estimator_checks` passes for
ridge and latent map, but for what `expected_failed_checks` names.
"""

from typing import Any

import numpy as np

from brainjax.errors import InputError
from brainjax.linear import latents, ridge
from brainjax.linear.arrays import as_numbers
from brainjax.linear.bayes import reference
from brainjax.linear.estimator_interface import (
    Estimator,
    expected_failed_checks,
    explained,
    to_fit,
)

__all__ = [
    'LatentMap',
    'PicturePosterior',
    'VoxelSelectingRidge',
    'expected_failed_checks',
]


class VoxelSelectingRidge(Estimator):
    """Ridge regression, each unit with the k voxels that correlate with it.

    Works in scikit-learn's pipelines and searches, but does not need it. It
    keeps dense weights; `ridge.decoder` is for more units than fit in memory.

        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> fmri = rng.standard_normal((200, 50))
        >>> features = fmri[:, :3] @ rng.standard_normal((3, 4))
        >>> model = VoxelSelectingRidge(k=10, alpha=1.0)
        >>> model.fit(fmri[:150], features[:150]).predict(fmri[150:]).shape
        (50, 4)
        >>> model.score(fmri[150:], features[150:]) > 0.99
        True

    Attributes after `fit`:
      coef_: [units, voxels] weights for voxels and units as given.
      intercept_: [units] prediction where the fMRI is 0.
      n_features_in_: number of voxels.
    """

    def __init__(
        self,
        k: int = 500,
        alpha: float = 100.0,
        bias: ridge.Bias = 'penalised',
        normalise: bool = True,
        dtype: str = 'float32',
        units_at_a_time: int = ridge.UNITS_AT_A_TIME,
        threads: int | None = None,
    ):
        """See `ridge.prepare` and `ridge.decoder` for the arguments."""
        self.k = k
        self.alpha = alpha
        self.bias = bias
        self.normalise = normalise
        self.dtype = dtype
        self.units_at_a_time = units_at_a_time
        self.threads = threads

    def fit(
        self, X: Any, y: Any, stimulus: np.ndarray | None = None
    ) -> 'VoxelSelectingRidge':
        """Fits features to fMRI.

        Args:
          X: [trials, voxels] fMRI.
          y: [trials] or [trials, ...units] features; [stimuli, ...units] if
            `stimulus` is given.
          stimulus: [trials] int, the row of y that each trial showed.
        """
        X, y = to_fit(X, y, 'the fMRI', 'the features')
        prepared = ridge.prepare(
            X,
            stimulus,
            k=self.k,
            alpha=self.alpha,
            bias=self.bias,
            normalise=self.normalise,
            dtype=self.dtype,
        )
        self._shape = y.shape[1:]
        features = y.reshape(len(y), -1)
        voxels = len(prepared.mean)
        weights = np.empty((features.shape[1], voxels), self.dtype)
        offset = np.empty(features.shape[1], self.dtype)
        fit = ridge.fitter(prepared, self.threads)
        for start in range(0, features.shape[1], self.units_at_a_time):
            block = slice(start, start + self.units_at_a_time)
            units = ridge.scale_units(prepared, features[:, block])
            found = fit(units.values)
            weights[block] = (
                found.voxels * units.scale[:, None] / prepared.scale
            )
            offset[block] = found.bias * units.scale + units.mean
        self._mean, self._offset = prepared.mean, offset
        self.coef_ = weights
        self.intercept_ = offset - weights @ prepared.mean
        self.n_features_in_ = voxels
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicts [trials, ...units] from fMRI [trials, voxels]."""
        X = self._to_decode(X)
        # Centred first: the mean of fMRI is large beside what it does.
        centred = (X - self._mean).astype(self.coef_.dtype)
        predicted = centred @ self.coef_.T + self._offset
        return predicted.reshape(len(X), *self._shape)

    def score(self, X: Any, y: Any) -> float:
        """Returns R^2, averaged over units that vary."""
        found = self.predict(X)
        y = as_numbers(y, 'the features').reshape(len(found), -1)
        return explained(y, found.reshape(y.shape))


class LatentMap(Estimator):
    """The linear map from latents to voxels, and back.

    See `linear.latents`, of which it is the face.

        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> seen = rng.standard_normal((300, 5))
        >>> fmri = seen @ rng.standard_normal((5, 40)) + 2
        >>> model = LatentMap().fit(seen[:250], fmri[:250])
        >>> model.predict(seen[250:]).shape
        (50, 40)
        >>> bool(np.allclose(model.invert(fmri[250:]), seen[250:], atol=1e-3))
        True

    Attributes after `fit`:
      coef_: [voxels, K] weights.
      intercept_: [voxels] bias.
      n_features_in_: K, the number of latents.
    """

    def __init__(
        self,
        ridge: float = 0.0,
        voxels_at_a_time: int = latents.VOXELS_AT_A_TIME,
    ):
        """See `latents.fit` for the arguments."""
        self.ridge = ridge
        self.voxels_at_a_time = voxels_at_a_time

    def fit(self, X: Any, y: Any) -> 'LatentMap':
        """Fits fMRI y [trials, voxels], or of one [trials], to X [trials, K].

        X are latents.
        """
        X, y = to_fit(X, y, 'the latents', 'the fMRI')
        self._shape = y.shape[1:]
        self._weights = latents.fit(
            X,
            y.reshape(len(y), -1),
            ridge=self.ridge,
            voxels_at_a_time=self.voxels_at_a_time,
        )
        self.coef_, self.intercept_ = self._weights[:-1].T, self._weights[-1]
        self.n_features_in_ = len(self._weights) - 1
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Returns the fMRI of latents [n, K], [n, voxels]."""
        X = self._to_decode(X, 'the latents', 'latent')
        found = latents.predict(self._weights, X)
        return found.reshape(len(X), *self._shape)

    def invert(self, y: Any) -> np.ndarray:
        """Returns the latents of fMRI, [n, K]."""
        self._check_fitted()
        return latents.invert(self._weights, y)

    def score(self, X: Any, y: Any) -> float:
        """Returns R^2, averaged over voxels that vary."""
        found = self.predict(X)
        y = as_numbers(y, 'the fMRI').reshape(len(found), -1)
        return explained(y, found.reshape(y.shape))


class PicturePosterior(Estimator):
    """Pictures given fMRI, and how sure they are, in closed form.

    Prior, linear encoder and noise, all chosen inside the training stimuli;
    `linear.bayes.reference`, of which it is the face.

        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> pictures = 0.5 + rng.standard_normal((60, 4)) @ (
        ...     0.1 * rng.standard_normal((4, 30))
        ... )
        >>> fmri = pictures @ rng.standard_normal((30, 50))
        >>> fmri += 0.1 * rng.standard_normal(fmri.shape)
        >>> model = PicturePosterior().fit(fmri[:50], pictures[:50])
        >>> found, deviation = model.predict(fmri[50:], return_std=True)
        >>> found.shape, deviation.shape, model.sample(fmri[50:], 5).shape
        ((10, 30), (10, 30), (10, 5, 30))
        >>> model.score(fmri[50:], pictures[50:]) > 0.9
        True

    Attributes after `fit`:
      reference_: `reference.Reference`, with all that was chosen.
      n_features_in_: number of voxels.
    """

    def __init__(
        self, shape: tuple[int, int, int] | None = None, seed: int = 0
    ):
        """Says what a row of pixels is.

        Args:
          shape: (height, width, channels); each voxel's weights may then be
            local, see `linear.bayes.receptive_fields`.
          seed: of folds and draws.
        """
        self.shape = shape
        self.seed = seed

    def fit(
        self,
        X: Any,
        y: Any,
        stimulus: np.ndarray | None = None,
        unpaired: Any = None,
    ) -> 'PicturePosterior':
        """Fits all to trials and, where there are any, pictures without fMRI.

        Args:
          X: [trials, voxels] fMRI.
          y: [trials, pixels] in 0..1, or [stimuli, pixels] with `stimulus`.
          stimulus: [trials] int, the row of y that each trial showed.
          unpaired: [n, pixels] in 0..1.
        """
        X, y = as_numbers(X, 'the fMRI'), as_numbers(y, 'the pictures')
        if X.ndim != 2 or y.ndim != 2:
            raise InputError(
                f'fMRI and pictures have shapes {X.shape} and {y.shape}; give '
                '[trials, voxels] and [trials, pixels].'
            )
        shown = np.arange(len(y)) if stimulus is None else np.asarray(stimulus)
        if len(shown) != len(X) or shown.max(initial=0) >= len(y):
            raise InputError(
                f'{len(X)} trials, {len(y)} pictures and {len(shown)} stimuli '
                'do not belong together; give each trial the row of its '
                'picture.'
            )
        if self.shape is not None and np.prod(self.shape) != y.shape[1]:
            raise InputError(
                f'the pictures have {y.shape[1]} pixels, and shape '
                f'{self.shape} has {np.prod(self.shape)}; give (height, width, '
                'channels) of a row.'
            )
        rows, shown = np.unique(shown, return_inverse=True)
        self._mean, std = X.mean(axis=0), X.std(axis=0)
        self._std = np.where(std > 0, std, np.inf)  # Constant voxels tell 0.
        free = np.zeros((0, y.shape[1])) if unpaired is None else unpaired
        self.reference_ = reference.fit(
            np.float32(y[rows]),
            self._scaled(X),
            shown,
            np.float32(as_numbers(free, 'the unpaired pictures')),
            shape=self.shape,
            seed=self.seed,
        )
        self.n_features_in_ = X.shape[1]
        return self

    def predict(
        self, X: Any, repeats: Any = 1, return_std: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Returns pictures [n, pixels] and, if asked for, deviations of each.

        Args:
          X: [n, voxels] fMRI.
          repeats: trials that each row averages; one number or [n].
          return_std: whether to return standard deviations, too.
        """
        X, repeats = self._given(X, repeats)
        found = reference.reconstruct(self.reference_, X, repeats)
        if not return_std:
            return found
        known = reference.condition(self.reference_, X, repeats)
        return found, reference.deviation(self.reference_, known)

    def sample(self, X: Any, draws: int, repeats: Any = 1) -> np.ndarray:
        """Draws pictures [n, draws, pixels]; see `predict`."""
        X, repeats = self._given(X, repeats)
        known = reference.condition(self.reference_, X, repeats)
        return reference.sample(self.reference_, known, draws, self.seed)

    def score(self, X: Any, y: Any) -> float:
        """Returns R^2, averaged over pixels that vary."""
        return explained(as_numbers(y, 'the pictures'), self.predict(X))

    def _given(self, X, repeats):
        X = self._to_decode(X)
        return self._scaled(X), np.broadcast_to(repeats, len(X))

    def _scaled(self, X):
        return (np.asarray(X, np.float64) - self._mean) / self._std
