"""Rules that stand: which actions are legal at all, for the agent and for a person, whatever each decision is about."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ConfigError, TieError
from .ties import TieMap

_FORM = "Write them like: independent=0,-1; most-owners=4; neighbours; locked=3."


@dataclass(frozen=True)
class Rules:
    """A mask over the legal actions, until it is replaced. It changes no tie by itself: layers follow when
    they are asked about.

    Args:
        independent: Layers that have to train on their own; negative numbers count from the end, -1 is the last.
        most_owners: Most independent layers at a time; 0 = no limit. Where there are more already, a layer that is
            asked about has to become tied if it may. A layer of `independent` may become an owner all the same, and
            the others then give way at their turn.
        neighbours: A layer may be tied to the one before it only.
        locked: Layers whose source stays what it is.

    Raises:
        ConfigError: Not whole numbers, a negative limit, or more layers that must own than may.
    """

    independent: tuple[int, ...] = ()
    most_owners: int = 0
    neighbours: bool = False
    locked: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("independent", "locked"):
            layers = tuple(dict.fromkeys(getattr(self, name)))
            object.__setattr__(self, name, layers)
            if not all(_is_whole(layer) for layer in layers):
                raise ConfigError(f"Expected numbers of layers for {name}, but got {layers}.", _FORM)
        if not _is_whole(self.most_owners) or self.most_owners < 0:
            raise ConfigError(
                f"Expected most-owners to be 1 or more (0 for no limit), but got {self.most_owners!r}.",
                _FORM,
            )

    @classmethod
    def parse(cls, text: str) -> Rules:
        """The rules that a line names; "" for none.

        Raises:
            ConfigError: Words that name no rule, or numbers that are none.
        """
        values: dict[str, tuple[int, ...] | int | bool] = {}
        for part in filter(None, (part.strip() for part in text.split(";"))):
            name, equals, value = (word.strip() for word in part.partition("="))
            try:
                if name in ("independent", "locked") and equals:
                    values[name] = tuple(int(word) for word in value.replace(",", " ").split())
                elif name == "most-owners" and equals:
                    values["most_owners"] = int(value)
                elif name == "neighbours" and not equals:
                    values["neighbours"] = True
                else:
                    raise ConfigError(f"Expected rules, but got {part!r}.", _FORM)
            except ValueError:
                raise ConfigError(f"Expected whole numbers after {name}=, but got {value!r}.", _FORM) from None
        return cls(**values)  # type: ignore[arg-type]

    def __str__(self) -> str:
        """The line that `parse` reads; "" for no rules."""
        parts = [
            f"independent={','.join(map(str, self.independent))}" if self.independent else "",
            f"most-owners={self.most_owners}" if self.most_owners else "",
            "neighbours" if self.neighbours else "",
            f"locked={','.join(map(str, self.locked))}" if self.locked else "",
        ]
        return "; ".join(part for part in parts if part)

    def __bool__(self) -> bool:
        return self != Rules()

    @property
    def in_words(self) -> str:
        """A sentence that says what holds."""
        if not self:
            return "No rules stand: every earlier layer, and the layer itself, is a legal action."
        parts = []
        if self.independent:
            parts.append(f"always on {'their' if len(self.independent) > 1 else 'its'} own: {_named(self.independent)}")
        if self.most_owners:
            parts.append(f"at most {self.most_owners} independent layer{'s' if self.most_owners > 1 else ''}")
        if self.neighbours:
            parts.append("a layer may be tied to the one before it only")
        if self.locked:
            keep = "keep their" if len(self.locked) > 1 else "keeps its"
            parts.append(f"{_named(self.locked)} {keep} source")
        return f"Rules that stand: {'; '.join(parts)}."

    def legal(self, ties: TieMap, layer: int) -> tuple[int, ...]:
        """The actions for a layer that the rules leave, ascending.

        Raises:
            TieError: They leave none, or there is no such layer.
        """
        actions = ties.legal(layer)
        if not self:
            return actions
        layers = len(ties)
        owns = layer in _places(self.independent, layers)
        left = [action for action in actions if action == layer] if owns else list(actions)
        if self.neighbours:
            left = [action for action in left if action >= layer - 1]
        if layer in _places(self.locked, layers):
            left = [action for action in left if action == ties[layer]]
        elif self.most_owners and not owns:
            left = self._few_enough(ties, layer, left)
        if not left:
            raise TieError(
                f"Expected at least one legal action for layer {layer}, but the rules leave none: it is "
                f"{'on its own' if ties[layer] == layer else f'tied to {ties[layer]}'}. {self.in_words}",
                "Change the rules.",
            )
        return tuple(left)

    def check_layers(self, layers: int) -> None:
        """Refuse rules that no map of so many layers can keep.

        Raises:
            ConfigError: A layer that there is not, or more layers that must own than may.
        """
        for name in ("independent", "locked"):
            for layer in getattr(self, name):
                if not -layers <= layer < layers:
                    raise ConfigError(
                        f"Expected layers from 0 to {layers - 1} (or -1 for the last) for the rule {name}, but got "
                        f"{layer}.",
                        "Name layers that the model has.",
                    )
        must = len(_places(self.independent, layers) | {0})
        if self.most_owners and must > self.most_owners:
            raise ConfigError(
                f"Expected at most {self.most_owners} independent layers, but {must} have to be (layer 0 always is).",
                "Raise most-owners, or name fewer layers.",
            )

    def check(self, ties: TieMap) -> None:
        """Refuse rules that leave some layer of this map no action.

        Raises:
            ConfigError: As `check_layers`.
            TieError: Some layer would have no legal action.
        """
        self.check_layers(len(ties))
        for layer in range(1, len(ties)):
            self.legal(ties, layer)

    def _few_enough(self, ties: TieMap, layer: int, actions: list[int]) -> list[int]:
        now = len(ties.independent_layers)
        counts = {action: now + (action == layer) - (ties[layer] == layer) for action in actions}
        within = [action for action in actions if counts[action] <= self.most_owners or counts[action] < now]
        return within or [action for action in actions if counts[action] <= now]


def _named(layers: tuple[int, ...]) -> str:
    """Layers as a person says them: "layers 0, 3 and the last layer"."""
    front = [str(layer) for layer in layers if layer >= 0]
    named = [f"layer{'s' if len(front) > 1 else ''} {', '.join(front)}"] if front else []
    named += ["the last layer" if layer == -1 else f"layer {-layer} from the end" for layer in layers if layer < 0]
    return " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))


def _places(layers: tuple[int, ...], count: int) -> set[int]:
    """Layers by their place from the front."""
    return {layer % count for layer in layers if -count <= layer < count}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
