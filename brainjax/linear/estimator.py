"""The ridge with scikit-learn's interface, for use without a pipeline."""

import inspect
from typing import Any

import numpy as np

from brainjax.errors import InputError, suggestion
from brainjax.linear import ridge


class VoxelSelectingRidge:
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

        Raises:
          InputError: shapes or values that cannot be used.
        """
        prepared = ridge.prepare(
            X,
            stimulus,
            k=self.k,
            alpha=self.alpha,
            bias=self.bias,
            normalise=self.normalise,
            dtype=self.dtype,
        )
        y = np.asarray(y)
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
        """Predicts [trials, ...units] from fMRI [trials, voxels].

        Raises:
          InputError: nothing was fitted, or other voxels are given.
        """
        if not hasattr(self, 'coef_'):
            raise InputError('nothing was fitted yet; call fit first.')
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != self.n_features_in_:
            raise InputError(
                f'the fMRI to decode has shape {X.shape}; give [trials, '
                f'{self.n_features_in_}], the voxels that were fitted.'
            )
        # Centred first: the mean of fMRI is large beside what it does.
        centred = (X - self._mean).astype(self.coef_.dtype)
        predicted = centred @ self.coef_.T + self._offset
        return predicted.reshape(len(X), *self._shape)

    def score(self, X: Any, y: Any) -> float:
        """Returns R^2, averaged over units that vary."""
        y = np.asarray(y).reshape(len(X), -1)
        residual = y - self.predict(X).reshape(y.shape)
        total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
        varies = total > 0
        explained = 1 - (residual**2).sum(axis=0)[varies] / total[varies]
        return float(explained.mean())

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        del deep
        return {name: getattr(self, name) for name in _parameters()}

    def set_params(self, **params: Any) -> 'VoxelSelectingRidge':
        """Changes arguments of the constructor.

        Raises:
          InputError: there is no such argument.
        """
        for name, value in params.items():
            if name not in _parameters():
                raise InputError(
                    f'VoxelSelectingRidge has no parameter {name!r}, only '
                    f'{", ".join(_parameters())}.'
                    f'{suggestion(name, _parameters())}'
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        shown = ', '.join(f'{k}={v!r}' for k, v in self.get_params().items())
        return f'VoxelSelectingRidge({shown})'

    def __sklearn_tags__(self) -> Any:
        """Tells scikit-learn, the only caller, what this is."""
        from sklearn.utils import Tags, TargetTags

        return Tags(
            estimator_type='regressor',
            target_tags=TargetTags(required=True, multi_output=True),
        )


def _parameters() -> list[str]:
    return [*inspect.signature(VoxelSelectingRidge).parameters]
