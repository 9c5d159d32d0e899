"""The lab agent: a linear Thompson sampler over features of whole maps, which plans a whole pass ahead."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.linalg import cho_solve, cholesky, solve_triangular
from torch import Tensor

from ..core.config import AgentConfig
from ..core.decisions import Proposal
from ..core.errors import AgentError
from ..core.keys import RunKey
from ..core.ties import TieMap
from .features import MapFeatures
from .planner import Planner
from .protocol import AgentState, Saved, Transition, check_layers, check_reward


class LinearThompson:
    def __init__(self, layers, config: AgentConfig, key: RunKey, *, level: bool = False, memory=None, name="lab",
                 prior_strength=4.0, noise_floor=1e-3, ema=2.0, em=True, tau_half=0.5):
        self.name = name
        self.layers = layers
        self._config = config
        self._level = level
        self.features = f = MapFeatures(layers)
        self.extra = 5
        self.size = f.size + self.extra
        self.groups = dict(f.groups)
        self.groups["costs"] = slice(f.size, f.size + 3)
        self.groups["drift"] = slice(f.size + 3, f.size + 5)
        self.keep = 1 - 1 / ((memory or 1.0) * (layers - 1))
        self.trace = np.zeros(self.size)
        self.rtrace = 0.0
        self.last_reward = None
        self.rows = []; self.rewards = []
        self.G = np.zeros((self.size, self.size)); self.b = np.zeros(self.size)
        self.noise = None; self.meansq = 0.0; self.n = 0
        self.base = {g: 1.0 for g in self.groups}
        self.v = {"table": 1.0, "count": 10.0 * layers, "position": 1.0 * layers, "jumps": 1.0, "pooled": 1.0 * layers, "costs": 1.0, "drift": 1.0}
        self.rel = dict(self.v)
        self.prior_strength, self.noise_floor, self.ema, self.em, self.tau_half = prior_strength, noise_floor, ema, em, tau_half
        self.chol = None
        self.mean = np.zeros(self.size)
        self.version = 0
        self._fit()
        self._sample(0, TieMap.all_tied(layers), key, 1)

    def _diag(self):
        d = np.empty(self.size)
        for g, s in self.groups.items():
            d[s] = 1 / self.v[g]
        return d

    def _fit(self):
        A = self.G.copy()
        A[np.diag_indices_from(A)] += self._diag()
        self.chol = cholesky(A, lower=True, overwrite_a=True, check_finite=False)
        self.mean = cho_solve((self.chol, True), self.b, check_finite=False)

    def _delta(self, seed):
        z = np.random.default_rng(seed).standard_normal(self.size)
        return solve_triangular(self.chol, z, lower=True, trans="T", check_finite=False)

    def _tau(self, decision, budget):
        c = self._config
        return c.epsilon_start + (c.epsilon_floor - c.epsilon_start) * min(1.0, decision / (self.tau_half * budget))

    def _sample(self, decision, ties, key, budget):
        delta = self._delta(key.at(decision, "learn"))
        self.delta = delta
        self.weights = self.mean + self._tau(decision, budget) * delta
        starts = [ties, TieMap.all_tied(self.layers)]
        self.plan = self.planner(self.weights, ties).best(starts)

    def planner(self, weights, ties):
        f = self.features
        return Planner(f, weights[: f.size], ties, weights[self.groups["costs"]])

    def _conditional(self, state):
        s = state.layer
        return TieMap((*state.ties.sources[: s + 1], *self.plan.sources[s + 1 :]))

    def propose(self, state, key):
        ties = self._conditional(state)
        v = self.planner(self.weights, state.ties).answer_values(ties, state.layer)
        q = self.planner(self.mean, state.ties).answer_values(ties, state.layer)
        q = q - q[state.present]
        c = _first_best(v, state.present)
        return state.proposal(c, q_values=q, explored=c != _first_best(q, state.present))

    def greedy(self, state):
        plan = self.planner(self.mean, state.ties).best([state.ties, self.plan, TieMap.all_tied(self.layers)])
        return plan[state.layer]

    def learn(self, t: Transition, key):
        r = check_reward(t)
        if self._level:
            r, self.last_reward = (r - self.last_reward if self.last_reward is not None else 0.0), r
        before, after = t.state.ties, t.next_state.ties
        f = self.features
        x = np.zeros(self.size)
        x[: f.size] = f.vector(after) - f.vector(before)
        layer = t.state.layer
        old, new = before[layer], after[layer]
        if old != new:
            x[f.size] = 1
            x[f.size + 1] = old == layer
            x[f.size + 2] = new == layer
        x[f.size + 3] = 1.0 / self.layers
        x[f.size + 4] = 1.0 / (1 + t.state.decision / self.layers)
        err = r - x @ self.mean
        self.trace = x + self.keep * self.trace
        self.rtrace = r + self.keep * self.rtrace
        self.rows.append(self.trace); self.rewards.append(self.rtrace)
        self.meansq += (r * r - self.meansq) / (self.n + 1)
        self.n += 1
        if t.next_state.episode != t.state.episode or len(self.rows) >= self.layers - 1:
            self._refit()
            self._sample(t.state.decision, after, key, t.state.budget)
        return {"prediction_error": float(err)}

    def _refit(self):
        X, r = np.array(self.rows), np.array(self.rewards)
        self.rows, self.rewards = [], []
        if self.noise is None:
            self.noise = max(self.meansq, 1e-12)
            for g in self.v:
                self.v[g] *= self.noise
            self.base = dict(self.v)
            self._fit()
        else:
            scale = self.meansq
            e = r - X @ self.mean
            H = solve_triangular(self.chol, X.T, lower=True, check_finite=False)
            h = (H * H).sum(0)
            s = self.noise
            z = (e * s / (s + h)) ** 2 + s * h / (s + h)
            rho = len(r) / max(self.ema * (self.layers - 1), 20)
            rho = rho / (1 + rho)
            self.noise = max((1 - rho) * s + rho * z.mean(), self.noise_floor**2 * self.meansq)
        self.G += X.T @ X / self.noise
        self.b += X.T @ r / self.noise
        self._fit()
        if self.em:
            self._em()

    def _em(self):
        delta = np.random.default_rng(self.n).standard_normal(self.size)
        delta = solve_triangular(self.chol, delta, lower=True, trans="T", check_finite=False)
        for g, sl in self.groups.items():
            d = sl.stop - sl.start
            if d <= 5:
                E = np.zeros((self.size, d)); E[sl, :] = np.eye(d)
                tr = (solve_triangular(self.chol, E, lower=True, check_finite=False) ** 2).sum()
            else:
                tr = (delta[sl] ** 2).sum()
            nu = self.prior_strength
            self.v[g] = ((self.mean[sl] ** 2).sum() + tr + nu * self.rel[g] * self.meansq) / (d + nu)


def _first_best(values, present):
    best = int(np.argmax(values))
    return present if values[present] >= values[best] - 1e-12 * max(1.0, abs(values[best])) else best
