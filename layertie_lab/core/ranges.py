"""What values a setting may have, as a value that stands beside the field: `layers: Annotated[int, Range(low=2)]`.

Validation, the command line's help and the forms all read it from there.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ConfigError


@dataclass(frozen=True)
class Range:
    """The values that a number may have, and what they count.

    Args:
        low: The least value.
        high: The greatest value.
        above: Every value is greater than this.
        below: Every value is less than this.
        unit: Of the number; "" for a plain one.
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    unit: str = ""

    def __contains__(self, value: float) -> bool:
        """Whether a number may stand; not-a-number may not."""
        return value == value and not (
            (self.low is not None and value < self.low)
            or (self.high is not None and value > self.high)
            or (self.above is not None and value <= self.above)
            or (self.below is not None and value >= self.below)
        )

    @property
    def bounded(self) -> bool:
        """Whether it has an end on both sides."""
        return (self.low is not None or self.above is not None) and (self.high is not None or self.below is not None)

    @property
    def words(self) -> str:
        """The bounds, to follow "to be"."""
        if self.low is not None and self.high is not None:
            return f"between {_written(self.low)} and {_written(self.high)}"
        if (self.low, self.high, self.above, self.below) == (0, None, None, None):
            return "0 or more"
        bounds = {"at least": self.low, "above": self.above, "at most": self.high, "below": self.below}
        return " and ".join(f"{words} {_written(bound)}" for words, bound in bounds.items() if bound is not None)

    @property
    def hint(self) -> str:
        """The unit and the bounds, as a note beside a setting."""
        return ", ".join(filter(None, (self.unit, self.words)))

    def check(self, path: str, value: float, default: float) -> None:
        """Refuse a value outside.

        Args:
            path: The setting.
            value: Its value.
            default: What it is by default, for the remedy.

        Raises:
            ConfigError: It is outside.
        """
        if value in self:
            return
        low, high = (None if bound is None else _written(bound) for bound in (self.low, self.high))
        bound = low if self.low is not None and value < self.low else high if value == value else None
        choices = [f"{bound} (the nearest)"] if bound is not None and bound != str(default) else []
        choices += [f"{default} (the default)"] if default is not None else []
        remedy = f"Use {' or '.join(choices)}." if choices else "Leave it out."
        of = f" ({self.unit})" if self.unit and self.unit not in path else ""
        raise ConfigError(f"Expected {path} to be {self.words}{of}, but got {value!r}.", remedy)


def _written(bound: float) -> str:
    """A bound as it can be typed; long ones with marks that Python's numbers may have."""
    return f"{bound:_}" if isinstance(bound, int) and bound >= 10_000 else f"{bound:g}" if bound >= 1e6 else str(bound)
