"""Keyed randomness: every draw's seed is a function of (run seed, replicate, step, purpose)."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Literal

Purpose = Literal["init", "data", "dropout", "agent", "learn", "reward", "evaluation", "probe", "sample"]


@dataclass(frozen=True)
class RunKey:
    """Names a run's random numbers; holds no state, so that nothing can fall out of step.

    Args:
        seed: The run's seed.
        replicate: Which of several otherwise equal runs this is.
    """

    seed: int
    replicate: int = 0

    def at(self, step: int, purpose: Purpose) -> int:
        """A 63-bit seed for the draws of one purpose at one step (or decision, or epoch: the caller's counter)."""
        text = f"layertie_lab/{self.seed}/{self.replicate}/{step}/{purpose}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1

    def random(self, step: int, purpose: Purpose) -> random.Random:
        """A fresh standard-library generator for one purpose at one step."""
        return random.Random(self.at(step, purpose))
