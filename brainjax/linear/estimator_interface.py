"""What scikit-learn asks of an estimator, without need of scikit-learn."""

import inspect
from typing import Any

import numpy as np

from brainjax.errors import InputError, check_known
from brainjax.linear.arrays import as_numbers, check_finite

_FAILED_CHECKS = {
    'check_dtype_object': (
        'what is no number is refused by InputError, which is a ValueError'
    ),
    'check_regressor_multioutput': (
        'results are float32, as those of a million units have to be'
    ),
}


def expected_failed_checks(estimator: Any) -> dict[str, str]:
    """Names checks of scikit-learn that cannot pass, with the reason.

    For `expected_failed_checks` of `check_estimator` and of
    `parametrize_with_checks`.
    """
    found = dict(_FAILED_CHECKS)
    if getattr(estimator, 'dtype', 'float32') == 'float64':
        del found['check_regressor_multioutput']
    return found


class Estimator:
    """What scikit-learn asks of an estimator beside `fit` and `predict`."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        del deep
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **params: Any) -> Any:
        """Changes arguments of the constructor."""
        for name, value in params.items():
            check_known(
                f'parameter of {type(self).__name__}', name, self._parameters()
            )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        shown = ', '.join(f'{k}={v!r}' for k, v in self.get_params().items())
        return f'{type(self).__name__}({shown})'

    def __sklearn_tags__(self) -> Any:
        """Tells scikit-learn, the only caller, what this is."""
        from sklearn.utils import RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type='regressor',
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(poor_score=False),
        )

    def _check_fitted(self) -> None:
        if not hasattr(self, 'n_features_in_'):
            raise _not_fitted()('nothing was fitted yet; call fit first.')

    def _to_decode(
        self, X: Any, what: str = 'the fMRI to decode', column: str = 'voxel'
    ) -> np.ndarray:
        """Checks [trials, columns] against the columns that were fitted."""
        self._check_fitted()
        X, wanted = rows(X, what), self.n_features_in_
        if X.shape[1] != wanted:
            # The second sentence is what scikit-learn's checks look for.
            raise InputError(
                f'{what} has shape {X.shape}; give [trials, {wanted}], the '
                f'{column}s that were fitted. X has {X.shape[1]} features, but '
                f'{type(self).__name__} is expecting {wanted} features as '
                'input.'
            )
        check_finite(X, what, 'trial', column)
        return X

    @classmethod
    def _parameters(cls) -> list[str]:
        return [*inspect.signature(cls).parameters]


def rows(X: Any, what: str) -> np.ndarray:
    """Checks that X is [rows, columns], one column at least."""
    X = as_numbers(X, what)
    if X.ndim == 1:
        raise InputError(
            f'{what} has shape {X.shape}; give rows and columns. Reshape your '
            'data: X.reshape(1, -1) is one row.'
        )
    if X.ndim != 2:
        raise InputError(f'{what} has shape {X.shape}; give rows and columns.')
    if not X.shape[1]:
        raise InputError(
            f'{what} has 0 feature(s) (shape={X.shape}) while a minimum of 1 '
            'is required.'
        )
    return X


def to_fit(
    X: Any, y: Any, what: str, target: str
) -> tuple[np.ndarray, np.ndarray]:
    """Checks what is learned from, but for how many rows belong together."""
    X = rows(X, what)
    if y is None:
        raise InputError(
            f'fit requires y to be passed, but the target y is None; give '
            f'{target}.'
        )
    y = as_numbers(y, target)
    if len(X) == 1:
        raise InputError(
            f'{what} holds 1 sample; two trials are needed at least.'
        )
    return X, y


def _not_fitted() -> type[InputError]:
    """Returns the exception for what was not fitted.

    Where scikit-learn is installed it is its own one, too.
    """
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return InputError
    return type('NotFitted', (InputError, NotFittedError), {})


def explained(truth: np.ndarray, predicted: np.ndarray) -> float:
    """R^2 of [n, units], averaged over units that vary."""
    total = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    varies = total > 0
    left = ((truth - predicted) ** 2).sum(axis=0)
    return float((1 - left[varies] / total[varies]).mean())
