"""What an entry of the catalogue is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from enrnn_ref.cells.base import Cell
from enrnn_ref.models.base import Model
from enrnn_ref.models.recurrence import Recurrence
from enrnn_ref.parametrizations.base import Parametrization
from enrnn_ref.verify.diagnosis.program import Whole

Place = type[Whole]


@dataclass(frozen=True)
class Site:
    """A model, or a part of one, in which a mistake may be made, with the sizes of the run."""

    model: Model
    steps: int
    batch: int

    @property
    def cell(self) -> Cell | None:
        """The cell of a recurrence; None of a composition."""
        return self.model.cell if isinstance(self.model, Recurrence) else None

    @property
    def parametrization(self) -> Parametrization | None:
        """The parametrization of a recurrence; None of a composition."""
        return self.model.parametrization if isinstance(self.model, Recurrence) else None


@dataclass(frozen=True)
class Variant:
    """One way to make a mistake: how a sentence calls it, and the class that replaces a method of the program.

    ``paired`` tells whether it is tried together with another mistake too; what is rare enough is not.
    """

    title: str
    place: Place
    paired: bool = True


@dataclass(frozen=True)
class Mistake:
    """An entry of the catalogue.

    Attributes
    ----------
    name : str
        In kebab case; what tests and tables call it.
    title : str
        What is wrong, to follow "the reference with …".
    note : str
        The number of its equation in derivations/17-mistakes.md.
    bites : str
        When it shows.
    case : str
        A golden case that shows it; all that do have its name as a flag.
    variants : function
        Site → the ways to make the mistake there; none where it cannot be made.
    """

    name: str
    title: str
    note: str
    bites: str
    case: str
    variants: Callable[[Site], Iterable[Variant]]


def variant(title: str, place: Place, *, paired: bool = True, **settings: Any) -> Variant:
    """A way to make a mistake whose class takes settings as private attributes, ``self.__by`` for ``by=...``.

    They are private so that the settings of two mistakes in one program do not meet.
    """
    attributes = {}
    for key, value in settings.items():
        owner = next(
            cls for cls in place.__mro__ if _private(cls, key) in {**cls.__dict__, **inspect.get_annotations(cls)}
        )
        attributes[_private(owner, key)] = value
    return Variant(title, type(place.__name__, (place,), attributes), paired)


def _private(cls: type, key: str) -> str:
    """What Python makes of ``__key`` in the body of a class."""
    return f"_{cls.__name__}__{key}"


@dataclass(frozen=True)
class Made:
    """A mistake made in a model: how a sentence calls it, and the class for each part in which it is made."""

    mistake: Mistake
    title: str
    places: Mapping[str, Place]
    paired: bool

    @property
    def changes_outputs(self) -> bool:
        """Whether it is made in the forward pass already."""
        return any(place.changes_outputs for place in self.places.values())


def made_in(mistake: Mistake, parts: Mapping[str, Model], steps: int, batch: int) -> list[Made]:
    """All ways to make a mistake in a model that is made of ``parts``: in every part alike, or in one of them."""
    places: dict[str, dict[str, Place]] = {}
    paired: dict[str, bool] = {}
    for path, model in parts.items():
        for one in mistake.variants(Site(model, steps, batch)):
            places.setdefault(one.title, {})[path] = one.place
            paired[one.title] = one.paired
    made = [Made(mistake, title, found, paired[title]) for title, found in places.items()]
    alone = [
        Made(mistake, f"{title}, in {path.removesuffix('.')} alone", {path: place}, paired=False)
        for title, found in places.items()
        if len(found) > 1
        for path, place in found.items()
        if path
    ]
    return made + alone
