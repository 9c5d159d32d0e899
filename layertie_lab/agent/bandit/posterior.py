"""Bayesian linear regression whose noise and prior scales are learned along the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.linalg import cholesky, solve_triangular
from threadpoolctl import ThreadpoolController
from torch import Tensor

from ...core.errors import AgentError

# Standard deviation of the noise as a share of the observations' root mean square, at least.
_NOISE_FLOOR = 1e-3
# Threads of linear algebra that have nothing left to do spin for a while, on the cores that training needs next.
_POOLS = ThreadpoolController()
# How many coefficients' worth of belief holds each group's scale to its initial one.
_PRIOR_STRENGTH = 4.0
# Groups up to this size have their posterior variance computed exactly, larger ones from probes.
_EXACT = 8
_PROBES = 4


class LinearPosterior:
    """Gaussian posterior of coefficients w in y = x w + noise, with a prior of one variance per group of coefficients.

    The noise's variance follows recent errors and each group's variance follows its coefficients, both by steps of
    expectation maximisation; a row is weighed by the noise at the time it came.

    Args:
        groups: Name -> columns, which together cover 0 .. size-1.
        scales: Name -> initial prior variance, relative to the observations' mean square.
        memory: Rows that the noise's estimate looks back on.
    """

    def __init__(self, groups: dict[str, slice], scales: dict[str, float], memory: float) -> None:
        self._groups = groups
        self._scales = np.array([scales[name] for name in groups])
        self._columns = list(groups.values())
        self._counts = np.array([columns.stop - columns.start for columns in self._columns])
        self._memory = memory
        size = int(self._counts.sum())
        self._gram = np.zeros((size, size))
        self._moment = np.zeros(size)
        self._variances = self._scales.astype(float)
        self._noise = 0.0
        self._rows = 0
        self._square = 0.0
        self._fit()

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return len(self._moment)

    @property
    def noise(self) -> float:
        """Variance of the noise; 0 before the first rows."""
        return self._noise

    def add(self, rows: np.ndarray, observed: np.ndarray, seed: int) -> None:
        """Take in observations.

        Args:
            rows: x, [n, size].
            observed: y, [n].
            seed: Of the probes that estimate large groups' variances.
        """
        self._rows += len(observed)
        self._square += (float(np.mean(observed**2)) - self._square) * len(observed) / self._rows
        if self._square == 0:
            # Nothing has happened yet that any coefficient could explain.
            return
        with _POOLS.limit(limits=1, user_api="blas"):
            self._take_in(rows, observed, seed)

    def _take_in(self, rows: np.ndarray, observed: np.ndarray, seed: int) -> None:
        if self._noise == 0:
            self._noise = self._square
            self._variances = self._scales * self._square
        else:
            self._learn_noise(rows, observed)
            self._learn_scales(seed)
        self._gram += rows.T @ rows / self._noise
        self._moment += rows.T @ observed / self._noise
        self._fit()

    def draw(self, seed: int) -> np.ndarray:
        """A draw from the posterior, minus its mean. [size]"""
        z = np.random.default_rng(seed).standard_normal(self.size)
        return self._root * self._back(z)

    def _fit(self) -> None:
        # In units of the prior's standard deviations no eigenvalue is below 1.
        self._root = np.sqrt(np.repeat(self._variances, self._counts))
        scaled = self._gram * self._root[:, None] * self._root
        diagonal = np.diag_indices_from(scaled)
        jitter = 1e-14 * float(scaled[diagonal].max(initial=0.0))
        scaled[diagonal] += 1.0 + jitter
        self._factor = cholesky(scaled, lower=True, overwrite_a=True, check_finite=False)
        self.mean = self._root * self._back(self._forward(self._root * self._moment))
        """Mean of the coefficients. [size]"""

    def _learn_noise(self, rows: np.ndarray, observed: np.ndarray) -> None:
        leverage = np.square(self._forward((rows * self._root).T)).sum(axis=0)
        error = observed - rows @ self.mean
        noise = self._noise
        expected = np.square(error * noise / (noise + leverage)) + noise * leverage / (noise + leverage)
        share = len(observed) / (self._memory + len(observed))
        noise += share * (float(expected.mean()) - noise)
        self._noise = max(noise, _NOISE_FLOOR**2 * self._square)

    def _learn_scales(self, seed: int) -> None:
        small = [columns for columns, count in zip(self._columns, self._counts, strict=True) if count <= _EXACT]
        picked = np.concatenate([np.arange(columns.start, columns.stop) for columns in small])
        # Columns of the identity for exact variances, and random ones: both need one triangular solve.
        sides = np.zeros((self.size, len(picked) + _PROBES))
        sides[picked, np.arange(len(picked))] = 1.0
        exact = np.square(self._forward(sides[:, : len(picked)])).sum(axis=0)
        probes = np.random.default_rng(seed).standard_normal((self.size, _PROBES))
        estimated = np.square(self._back(probes)).mean(axis=1)
        estimated[picked] = exact
        total = np.square(self.mean) + np.square(self._root) * estimated
        sums = np.array([total[columns].sum() for columns in self._columns])
        held = _PRIOR_STRENGTH * self._scales * self._square
        self._variances = (sums + held) / (self._counts + _PRIOR_STRENGTH)

    def _forward(self, sides: np.ndarray) -> np.ndarray:
        return solve_triangular(self._factor, sides, lower=True, check_finite=False)

    def _back(self, sides: np.ndarray) -> np.ndarray:
        return solve_triangular(self._factor, sides, lower=True, trans=1, check_finite=False)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Sufficient statistics and scales."""
        tensors = {
            "gram": torch.from_numpy(self._gram.copy()),
            "moment": torch.from_numpy(self._moment.copy()),
            "variances": torch.from_numpy(self._variances.copy()),
        }
        return tensors, {"noise": self._noise, "rows": self._rows, "square": self._square}

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
        self._noise, self._rows, self._square = values["noise"], values["rows"], values["square"]
        self._fit()
