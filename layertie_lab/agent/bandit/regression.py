"""Bayesian linear regression that can forget, and says how well it explains what it saw."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.linalg import cholesky, get_lapack_funcs
from threadpoolctl import ThreadpoolController
from torch import Tensor

from ...core.errors import AgentError

# Threads of linear algebra that have nothing left to do spin for a while, on the cores that training needs next.
_POOLS = ThreadpoolController()
_INVERT = get_lapack_funcs(("potri",), dtype=np.float64)[0]
# Coefficients' worth of belief that holds each group's variance to its initial one, and rows' worth that holds the
# noise's variance to its initial share of the observations' mean square.
_HELD = 1.0
_NOISE_ROWS = 2.0
_NOISE_SHARE = 0.02
# Steps of expectation maximisation with every update; with many coefficients one, as each costs their cube.
_STEPS = 2
_MANY = 400
# A mean square below this is nothing: it has no finite inverse.
_NOTHING = 1e-280


class FadingRegression:
    """Gaussian posterior of coefficients w in y = x w + noise, with a prior of one variance per group of coefficients.

    It keeps weighted sums over all rows, so that the noise's variance and the groups' variances can be fitted to all of
    them again with each update: by steps of expectation maximisation of the evidence (MacKay 1992; Bishop 2006, section
    3.5), which is also what models of the same observations are compared by. `fade` takes weight off what was seen so
    far (a power prior: Ibrahim & Chen 2000).

    Args:
        groups: Name -> columns, which together cover 0 .. size-1.
        scales: Name -> initial prior variance, relative to the observations' mean square.
    """

    def __init__(self, groups: dict[str, np.ndarray], scales: dict[str, float]) -> None:
        self._columns = list(groups.values())
        self._scales = np.array([scales[name] for name in groups])
        self._counts = np.array([len(columns) for columns in self._columns])
        size = int(self._counts.sum())
        # Which group each coefficient belongs to.
        self._group = np.zeros(size, dtype=int)
        for index, columns in enumerate(self._columns):
            self._group[columns] = index
        self._gram = np.zeros((size, size))
        self._moment = np.zeros(size)
        # Sums of squares, with the rows' weights and without, and the number of rows.
        self._weighed, self._squares, self._rows = 0.0, 0.0, 0.0
        self._variances = self._scales.astype(float)
        self.noise = 0.0
        """Variance of the noise; 0 before anything happened that a coefficient could explain."""
        self.evidence = 0.0
        """Log of the probability density of what was seen, up to a constant that all models of it share."""
        self.mean = np.zeros(size)
        """Mean of the coefficients. [size]"""
        self.covariance = np.diag(self._prior())
        """Covariance of the coefficients. [size, size]"""

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return len(self._moment)

    def add(self, rows: np.ndarray, observed: np.ndarray, weights: np.ndarray) -> None:
        """Take in observations.

        Args:
            rows: x, [n, size].
            observed: y, [n].
            weights: Of the rows, 0 to 1, [n]; a row of weight 0 is left out.
        """
        with _POOLS.limit(limits=1, user_api="blas"):
            self._gram += (rows.T * weights) @ rows
            self._moment += rows.T @ (weights * observed)
            self._weighed += float(weights @ observed**2)
            self._squares += float(observed @ observed)
            self._rows += float(np.count_nonzero(weights))
            if self._weighed > _NOTHING:
                self._update()

    def surprise(self, rows: np.ndarray, observed: np.ndarray, slack: float) -> tuple[np.ndarray, np.ndarray]:
        """Errors of prediction, and the variance expected of each.

        Args:
            rows: x, [n, size].
            observed: y, [n].
            slack: Variance that is expected on top, as a share of the observations' mean square.

        Returns:
            (errors, variances): [n] each.
        """
        square = (self._squares + float(observed @ observed)) / (self._rows + len(observed))
        leverage = np.sum((rows @ self.covariance) * rows, axis=1)
        return observed - rows @ self.mean, self.noise + leverage + slack * square

    def fade(self, share: float) -> None:
        """Leave a share of the weight of all that was seen so far; takes effect with the next rows."""
        self._gram *= share
        self._moment *= share
        self._weighed, self._squares, self._rows = self._weighed * share, self._squares * share, self._rows * share

    def _update(self) -> None:
        square = self._weighed / max(self._rows, 1e-9)
        if self.noise == 0:
            self.noise = _NOISE_SHARE * square
            self._variances = self._scales * square
        for _ in range(_STEPS if self.size <= _MANY else 1):
            self._fit(square)
            own = np.diag(self.covariance)
            kept = sum(own[columns].sum() / variance for columns, variance in self._groups())
            errors = self._weighed - 2 * self.mean @ self._moment + self.mean @ self._gram @ self.mean
            # The rows' errors under the mean, and what the coefficients' own spread adds to them.
            spread = max(0.0, float(errors)) + self.noise * max(0.0, self.size - kept)
            total = np.square(self.mean) + own
            sums = np.array([total[columns].sum() for columns in self._columns])
            self.noise = (spread + _NOISE_ROWS * _NOISE_SHARE * square) / (self._rows + _NOISE_ROWS)
            self._variances = (sums + _HELD * self._scales * square) / (self._counts + _HELD)
        self._fit(square)

    def _fit(self, square: float) -> None:
        # In units of the prior's standard deviations no eigenvalue is below 1.
        root = np.sqrt(self._prior())
        scaled = self._gram * root[:, None] * root / self.noise
        diagonal = np.diag_indices_from(scaled)
        scaled[diagonal] += 1.0 + 1e-13 * float(scaled[diagonal].max())
        factor = cholesky(scaled, lower=True, overwrite_a=True, check_finite=False)
        inverse, _ = _INVERT(factor, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        self.covariance = inverse * root[:, None] * root
        self.mean = self.covariance @ (self._moment / self.noise)
        fitted = (self._weighed - float(self._moment @ self.mean)) / self.noise
        volume = 2 * float(np.log(np.diag(factor)).sum())
        held = _NOISE_ROWS * (np.log(self.noise) + _NOISE_SHARE * square / self.noise)
        self.evidence = -0.5 * float(self._rows * np.log(self.noise) + volume + fitted + held)

    def _prior(self) -> np.ndarray:
        return self._variances[self._group]

    def _groups(self) -> list[tuple[np.ndarray, float]]:
        return list(zip(self._columns, self._variances.tolist(), strict=True))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The sums and the fitted variances."""
        tensors = {"gram": self._gram, "moment": self._moment, "variances": self._variances}
        values = {"weighed": self._weighed, "squares": self._squares, "rows": self._rows, "noise": self.noise}
        return {name: torch.from_numpy(array.copy()) for name, array in tensors.items()}, values

    def load(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over what `state` gave.

        Raises:
            AgentError: Saved with another number of coefficients.
        """
        if tensors["moment"].numel() != self.size:
            raise AgentError(
                f"Expected statistics of {self.size} coefficients, but found {tensors['moment'].numel()}.",
                "The checkpoint belongs to a run of another depth.",
            )
        self._gram = tensors["gram"].numpy().copy()
        self._moment = tensors["moment"].numpy().copy()
        self._variances = tensors["variances"].numpy().copy()
        self._weighed, self._squares = values["weighed"], values["squares"]
        self._rows, self.noise = values["rows"], values["noise"]
        if self.noise:
            with _POOLS.limit(limits=1, user_api="blas"):
                self._fit(self._weighed / max(self._rows, 1e-9))
