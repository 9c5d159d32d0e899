"""What a component says of itself, and where components of one kind are found by name.

A policy, a reward, a similarity, a corpus and so on is described and registered where it is defined; whatever shows or
lists components asks here, so that a new one is one new file.
"""

from __future__ import annotations

import importlib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from .errors import ConfigError


@dataclass(frozen=True)
class Description:
    """What a component is, in the words that help, captions, forms and reasons show. Kinds of components may say more.

    Args:
        name: What it is called in settings, logs and on the command line.
        title: A short heading: of an axis, a tab, a row of a menu.
        about: What it is, in one sentence.
        unit: Of its values; "" where they have none.
        meaning: What its values mean: their sign, their bounds, what 0 says.
        reads: What its values depend on, to end the sentence "Its values depend on ...".
        source: Where it comes from: a paper, a section, an equation.
    """

    name: str
    title: str
    about: str = ""
    unit: str = ""
    meaning: str = ""
    reads: str = ""
    source: str = ""


Choices = Mapping[str, Sequence[Description]]
"""Path of a setting that names a component -> what is registered under the names that it may have. Handed in by those
who know: what shows settings need not know the rooms where components are."""

D = TypeVar("D", bound=Description)
T = TypeVar("T")
M = TypeVar("M")


class Registry(Generic[D, T]):
    """Components of one kind, by name, in the order of their modules.

    Args:
        kind: What they are, as in "a policy", for messages.
        modules: Full names of the built-in modules that register some, imported when somebody first asks. Named, not
            imported: they import the registry.
        group: The entry-point group in which other packages name theirs, each entry a module or something in it that
            registers when it is imported. A package that cannot be imported is warned of, and is in the message where
            a name is not found.
    """

    def __init__(self, kind: str, modules: Sequence[str] = (), group: str = "") -> None:
        self.kind, self.group = kind, group
        self._modules = tuple(modules)
        self._found: dict[str, tuple[D, Any]] = {}
        self._failed: list[str] = []
        self._loaded = False
        self._lock = threading.RLock()

    def register(self, *descriptions: D) -> Callable[[M], M]:
        """Register a class or a function under the name of each description, as a decorator.

        Raises:
            ConfigError: The name is taken by something else. The same definition may be made anew, as in a notebook.
        """

        def registered(component: M) -> M:
            for description in descriptions:
                earlier = self._found.get(description.name)
                if earlier is not None and import_path(earlier[1]) != import_path(component):
                    raise ConfigError(
                        f"Expected a name for {import_path(component)} that no other {self.kind} has, but "
                        f"{description.name!r} is {import_path(earlier[1])}.",
                        "Give it another name.",
                    )
                self._found[description.name] = (description, component)
            return component

        return registered

    def __iter__(self) -> Iterator[D]:
        """The descriptions, the built-in ones first."""
        self._load()
        places = {module: place for place, module in enumerate(self._modules)}
        found = list(self._found.values())
        found.sort(key=lambda pair: places.get(getattr(pair[1], "__module__", ""), len(places)))
        return (description for description, _ in found)

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._found

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the built-in ones first."""
        return tuple(description.name for description in self)

    def find(self, name: str) -> D | None:
        """The description of a name, or None where nobody registered it, as of a run that somebody else made."""
        self._load()
        return self._found[name][0] if name in self._found else None

    def describe(self, name: str) -> D:
        """The description of a name.

        Raises:
            ConfigError: Nobody registered it.
        """
        return self._of(name)[0]

    def get(self, name: str) -> T:
        """What was registered under a name.

        Raises:
            ConfigError: Nobody registered it.
        """
        return self._of(name)[1]

    def path(self, name: str) -> str:
        """The import path of what is registered under a name; "" where nothing is."""
        self._load()
        return import_path(self._found[name][1]) if name in self._found else ""

    def is_built_in(self, name: str) -> bool:
        """Whether a name belongs to one of the built-in modules."""
        return self.path(name).rpartition(".")[0] in self._modules

    def _of(self, name: str) -> tuple[D, Any]:
        self._load()
        if name not in self._found:
            own = f", or import the module that defines it (a package names it in its {self.group})" * bool(self.group)
            raise ConfigError(
                " ".join([f"Expected a {self.kind} out of {', '.join(self.names)}, but got {name!r}.", *self._failed]),
                f"Choose one of these{own}.",
            )
        return self._found[name]

    def _load(self) -> None:
        with self._lock:
            if self._loaded:
                return
            # Before the imports, which may ask again.
            self._loaded = True
            for module in self._modules:
                importlib.import_module(module)
            for entry in entry_points(group=self.group) if self.group else ():
                try:
                    entry.load()
                except Exception as error:  # somebody else's package: whatever it raises, the others are still there
                    why = f"The {self.kind} {entry.name} ({entry.value}) could not be loaded: {error!r}."
                    self._failed.append(why)
                    warnings.warn(why, stacklevel=2)


def import_path(component: object) -> str:
    """The import path of a class or function, else its class's."""
    named = component if hasattr(component, "__qualname__") else type(component)
    return f"{named.__module__}.{getattr(named, '__qualname__', '')}"
