"""prototype"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from ...core.ties import TieMap
from ..bandit.features import MapFeatures
from ..bandit.planner import Planner
from ..descriptions import PolicyDescription
from ..protocol import check_reward
from ..rewards.signal import Changes
from ..schedule import exploration

RESPONSES = (0.0, 4.0, 12.0)
COSTS = (3.0, 12.0)
BONUS = 2.0
SHARED = 1.0
KAPPA = 0.3
PRIOR = 10.0
LEARN = 2
NOISE0 = 0.1
STRENGTH = 2.0
HELD = 1.0
EM = 2
FREEDOM = 1e9
SHIFT = 1e9
FADE = 0.98
KEEP = 1.0
POWER = 1.0
EVERY = 1.0
OPT = 0
SCALES = {"table": 1.0, "count": 10.0, "position": 1.0, "jumps": 1.0, "pooled": 1.0}
WIDE = 0.02
WCD = 1.0


class Post:
    def __init__(self, groups, scales, memory):
        self._scales = np.array([scales[n] for n in groups])
        self._columns = list(groups.values())
        self._counts = np.array([c.stop - c.start for c in self._columns])
        p = self.size = int(self._counts.sum())
        self._gram = np.zeros((p, p))
        self._moment = np.zeros(p)
        self._yy = 0.0
        self._yy_raw = 0.0
        self._n = 0.0
        self._square = 0.0
        self.noise = 0.0
        self.mean = np.zeros(p)
        self.cov_ = None
        self.variances = self._scales.astype(float)
        self.loglik = 0.0

    def add(self, rows, y, w):
        self._gram += (rows.T * w) @ rows
        self._moment += rows.T @ (w * y)
        self._yy_raw += float(y @ y)
        self._yy += float(w @ y**2)
        self._n += float(len(y))
        if self._yy == 0:
            return
        sq = self._square = self._yy / self._n
        if self.noise == 0:
            self.noise = NOISE0 * sq
            self.variances = self._scales * sq
        for _ in range(EM):
            self.fit()
            s = np.diag(self.cov_)
            resid = self._yy - 2 * self.mean @ self._moment + self.mean @ self._gram @ self.mean
            gamma = self.size - sum(s[c].sum() / v for c, v in zip(self._columns, self.variances))
            # EM step for noise, inverse gamma prior
            new = (max(resid, 0) + self.noise * gamma + STRENGTH * NOISE0 * sq) / (self._n + STRENGTH)
            tot = self.mean**2 + s
            sums = np.array([tot[c].sum() for c in self._columns])
            self.variances = (sums + HELD * self._scales * sq) / (self._counts + HELD)
            self.noise = new
        self.fit()

    def fit(self):
        root = np.sqrt(np.repeat(self.variances, self._counts))
        A = self._gram * root[:, None] * root / self.noise
        A[np.diag_indices_from(A)] += 1.0 + 1e-12 * np.max(np.diag(A))
        c, info = dpotrf(A, lower=1)
        assert info == 0, info
        inv, info = dpotri(c, lower=1)
        inv = np.tril(inv)
        inv = inv + np.tril(inv, -1).T
        self.cov_ = inv * root[:, None] * root
        self.mean = self.cov_ @ self._moment / self.noise
        self.loglik = float(
            -0.5
            * (
                self._n * np.log(self.noise)
                + 2 * np.log(np.diag(c)).sum()
                + self._yy / self.noise
                - self._moment @ self.mean / self.noise
            )
            - 0.5 * STRENGTH * (np.log(self.noise) + NOISE0 * self._square / self.noise)
        )

    def fade(self, f):
        self._gram *= f
        self._moment *= f
        self._yy *= f
        self._yy_raw *= f
        self._n *= f

    def surprise(self, rows, y):
        e = y - rows @ self.mean
        V = rows @ self.cov_ @ rows.T
        sq = (self._yy_raw + float(y @ y)) / (self._n + len(y))
        V[np.diag_indices_from(V)] += self.noise + KAPPA * sq
        z = np.linalg.solve(np.linalg.cholesky(V), e)
        return z * z

    def draw(self, seed):
        if self.cov_ is None:
            return np.random.default_rng(seed).standard_normal(self.size) * np.sqrt(
                np.repeat(self._scales, self._counts)
            )
        z = np.random.default_rng(seed).standard_normal(self.size)
        return np.linalg.cholesky(self.cov_ + 1e-12 * np.trace(self.cov_) * np.eye(self.size)) @ z

    def cov(self):
        return self.cov_


class Model:
    def __init__(self, features, response, config):
        L = features.layers
        self.f = features
        self.rho = math.exp(-1 / response) if response else 0.0
        end = features.size + 3 * len(COSTS)
        self.costs = slice(features.size, end)
        groups = features.groups | {"costs": self.costs, "drift": slice(end, end + 2)}
        scales = {k: WIDE * v * (L if k in ("count", "position", "pooled") else 1) for k, v in SCALES.items()}
        sweep = L - 1
        self.post = Post(groups, scales | {"costs": WCD, "drift": WCD}, max(2.0 * sweep, 20.0))
        self.keep = max(0.0, 1 - 1 / (KEEP * config.memory_passes * sweep))
        self.delta = np.zeros(features.size)
        self.churn = np.zeros(3 * len(COSTS))
        self.crho = np.repeat([math.exp(-1 / c) for c in COSTS], 3)
        self.trace = np.zeros(self.post.size)
        self.rows = []
        self.score = 0.0 if response else PRIOR

    def take(self, moved, kinds, decision):
        self.delta = self.rho * self.delta + (1 - self.rho) * moved
        before = self.churn
        self.churn = self.crho * before + np.tile(kinds, len(COSTS))
        row = np.concatenate([self.delta, self.churn - before, [1 / self.f.layers, 1 / (1 + decision / self.f.layers)]])
        self.trace = row + self.keep * self.trace
        self.rows.append(self.trace)
        return row


class MapBandit:
    description = PolicyDescription("map-bandit", "Map bandit", values="changes")

    def __init__(self, layers, config, key, *, level=False, detrend=True):
        self.layers, self._config = layers, config
        self._changes = Changes(level=level, detrend=False)
        self._f = MapFeatures(layers)
        self._models = [Model(self._f, r, config) for r in RESPONSES]
        self._traced, self._observed = 0.0, []
        self._best = 0
        self._plan = TieMap.all_tied(layers)
        self._look_ahead(self._plan, 1.0, 1, key.at(0, "learn"))

    def _mean(self):
        return self._models[self._best].post.mean[: self._f.size]

    def propose(self, state, key):
        values = self._values(self._weights, state, self._plan)
        means = self._values(self._mean(), state, self._plan)
        choice, mean = state.best(values, keep=True), state.best(means, keep=True)
        return state.proposal(choice, q_values=(means - means[state.present]).tolist(), explored=choice != mean)

    def greedy(self, state):
        mean = self._mean()
        plan = self._planner(mean, state.ties).best(self._starts(state.ties, state.layer), first=state.layer)
        return state.best(self._values(mean, state, plan), keep=True)

    def learn(self, transition, key):
        change = self._changes.of(check_reward(transition))
        state, following = transition.state, transition.next_state
        layer = state.layer
        before, now = state.ties[layer], following.ties[layer]
        moved = np.zeros(self._f.size)
        kinds = np.zeros(3)
        if before != now:
            moved = self._f.vector(following.ties) - self._f.vector(state.ties)
            kinds = np.array([1.0, before == layer, now == layer])
        self._traced = change + self._models[0].keep * self._traced
        self._observed.append(self._traced)
        for m in self._models:
            m.take(moved, kinds, state.decision)
        if len(self._observed) >= max(1, round((self.layers - 1) / EVERY)):
            seed = key.at(state.decision, "learn")
            y = np.array(self._observed)
            best = self._models[self._best]
            u = best.post.surprise(np.array(best.rows), y) if best.post.noise else np.ones(len(y))
            w = (FREEDOM + 1) / (FREEDOM + u)
            med = float(np.median(u)) / 0.455
            shift = med > SHIFT
            for m in self._models:
                if shift:
                    m.post.fade(1 / med**POWER)
                m.post.add(np.array(m.rows), y, w)
                m.score = m.post.loglik + (PRIOR if m.rho == 0 else 0)
                m.rows = []
            self._observed = []
            self._best = max(range(len(self._models)), key=lambda i: self._models[i].score)
            if shift:
                self.resets = getattr(self, "resets", []) + [(state.decision, med)]
                self._traced = 0.0
                for m in self._models:
                    m.trace = np.zeros_like(m.trace)
            spread = exploration(following.decision, state.budget, self._config)
            self._look_ahead(following.ties, spread, following.decision, seed + 1, state.budget)
        return {}

    def _look_ahead(self, ties, spread, decision, seed, budget=1):
        f = self._f
        post = self._models[self._best].post
        w = post.mean[: f.size].copy()
        draw = spread * post.draw(seed)[: f.size]
        t = f.groups["table"]
        w[t.stop :] += SHARED * draw[t.stop :]
        if post.noise:
            C = post.cov()
            d = np.diag(C)
            for l in range(1, self.layers):
                c = slice(f.starts[l], f.starts[l] + l + 1)
                p = f.starts[l] + ties[l]
                s = np.sqrt(np.maximum(d[c] + d[p] - 2 * C[c, p], 0))
                if LEARN:
                    left = max(0.0, (self._config.explore_share if LEARN == 1 else 1.0) * budget - decision) / (
                        self.layers - 1
                    )
                    n = left / (l if LEARN == 3 else 1)
                    w[c] += BONUS * s * np.sqrt(s * s * n / np.maximum(s * s * n + post.noise, 1e-300))
                elif OPT == 0:
                    w[c] += BONUS * spread * s
                else:
                    z = np.random.default_rng(seed + l).standard_normal(l + 1)
                    w[c] += BONUS * spread * s * np.abs(z)
        else:
            w[t] += draw[t]
        self._weights = w
        self._plan = self._planner(w, ties).best(self._starts(ties, 1))

    def _planner(self, weights, ties):
        return Planner(self._f, weights, ties, np.zeros(3))

    def _starts(self, ties, first):
        head = ties.sources[:first]
        return [ties, TieMap((*head, *self._plan.sources[first:])), TieMap((*head, *(0,) * (self.layers - first)))]

    def _values(self, weights, state, plan):
        planner = self._planner(weights, state.ties)
        return planner.action_values(self._completed(planner, state, plan), state.layer)

    @staticmethod
    def _completed(planner, state, plan):
        layer = state.layer
        rest = plan.sources[layer + 1 :]
        if plan.sources[:layer] != state.ties.sources[:layer]:
            start = TieMap((*state.ties.sources[: layer + 1], *rest))
            rest = planner.best([start], first=layer).sources[layer + 1 :]
        return TieMap((*state.ties.sources[: layer + 1], *rest))

    def state(self):
        return {}, {}

    def load(self, t, v):
        pass
