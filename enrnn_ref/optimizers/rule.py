"""What every optimiser offers, and what a rule that works entry by entry has to say."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from enrnn_ref.arrays import Array, Arrays, number
from enrnn_ref.backends.entrywise import Entrywise
from enrnn_ref.errors import NotFiniteError, OptionError
from enrnn_ref.optimizers.checks import fitting, fitting_state, float_arrays, require_finite, side_of

FLAVOURS = ("tf1", "torch")


class Update(NamedTuple):
    """One step of a rule: ``entry((w, g, slots…), settings)`` returns the (w, slots…) after it, for one entry.

    A function of scalars, as those of the cells are; ``settings`` come in the type of the entries.
    """

    entry: Callable[..., Any]
    settings: tuple[float, ...]


class Optimizer(ABC):
    """What a training loop sees: ``init`` once, ``step`` ever after."""

    def init(self, params: Mapping[str, Array]) -> Arrays:
        """The state before the first step.

        Parameters
        ----------
        params : dict of ndarray
            float32 or float64, one dtype for all; on the host, or all of them on a CUDA device.

        Returns
        -------
        dict of ndarray
            Flat, keys ``"<parameter>.<slot>"``; where the parameters are, but for counters, which are the host's.

        Raises
        ------
        ParameterError
            A group is named after a parameter that does not exist.
        DtypeError, NotFiniteError, PlacementError
            See :func:`enrnn_ref.arrays.float_array`.
        """
        engine = side_of("params", params)
        params = float_arrays("params", params, engine)
        if engine.adopt is None:
            require_finite("params", params, engine)
        state: Arrays = {}
        for name, rule in self._rules(params).items():
            for slot, start in rule._slots.items():
                state[f"{name}.{slot}"] = engine.full(params[name].shape, start, params[name].dtype)
            if rule._counted:
                state[f"{name}.step"] = np.zeros((), np.int64)
        return state

    def step(
        self, params: Mapping[str, Array], grads: Mapping[str, Array], state: Mapping[str, Array]
    ) -> tuple[Arrays, Arrays]:
        """Parameters and state after one update; the arrays passed in are left as they are.

        From a device one number of every parameter comes to the host, which says whether its results are finite.

        Parameters
        ----------
        params, grads : dict of ndarray
            The same keys, shapes and dtype; on the host, or all of them on a CUDA device.
        state : dict of ndarray
            What ``init`` or the previous ``step`` returned for these parameters.

        Returns
        -------
        params, state : dict of ndarray
            New arrays in the dtype of the old ones, and where those are.

        Raises
        ------
        ParameterError, ShapeError, DtypeError
            ``grads`` or ``state`` does not fit ``params``.
        PlacementError
            An array does not lie where the first parameter does.
        OptionError
            A step counter in ``state`` is negative.
        NotFiniteError
            NaN or infinity comes in, or the update overflows the dtype.
        """
        after, memory, settle = self.begin(params, grads, state)
        settle()
        return after, memory

    def begin(
        self, params: Mapping[str, Array], grads: Mapping[str, Array], state: Mapping[str, Array]
    ) -> tuple[Arrays, Arrays, Callable[[], None]]:
        """As ``step``, of which a device need not have done anything yet: a function waits for it, and raises
        NotFiniteError."""
        engine = side_of("params", params)
        params = float_arrays("params", params, engine)
        grads = fitting("grads", grads, params, engine, "the shape of the parameter")
        rules = self._rules(params)
        slots = {f"{name}.{slot}": params[name] for name, rule in rules.items() for slot in rule._slots}
        counters = [f"{name}.step" for name, rule in rules.items() if rule._counted]
        remembered, counts = fitting_state(state, slots, counters, engine)

        tasks, updates = [], {}
        for name, rule in rules.items():
            moment = id(rule), counts.get(f"{name}.step", 0)
            if moment not in updates:
                updates[moment] = rule._update(moment[1] + 1)
            entry, settings = updates[moment]
            own = [remembered[f"{name}.{slot}"] for slot in rule._slots]
            tasks.append(Entrywise(entry, (params[name], grads[name], *own), settings, 1 + len(own)))
        found = engine.entrywise(tasks)

        @functools.cache
        def settle() -> None:
            broken = found.broken()
            if broken is None:
                return
            for label, arrays in (("params", params), ("grads", grads), ("state", remembered)):
                require_finite(label, arrays, engine)
            name, param = list(params.items())[broken]
            reached = np.abs(engine.give(grads[name])).max()
            raise NotFiniteError(
                f"the update of {name!r} leaves the range of {param.dtype} where its gradient reaches {reached:.3g}."
            )

        if not engine.ahead:
            settle()
        new_params: Arrays = {}
        new_state: Arrays = {}
        for (name, rule), (param, *own) in zip(rules.items(), found.results, strict=True):
            new_params[name] = param
            for slot, array in zip(rule._slots, own, strict=True):
                new_state[f"{name}.{slot}"] = array
            if rule._counted:
                new_state[f"{name}.step"] = np.array(counts[f"{name}.step"] + 1, np.int64)
        return new_params, new_state, settle

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """All settings as a plain JSON object, the argument of :func:`from_config`."""

    @abstractmethod
    def _rules(self, names: Iterable[str]) -> dict[str, Rule]:
        """The rule of each parameter, in the order of the names."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Optimizer) and self.to_config() == other.to_config()

    __hash__ = None  # type: ignore[assignment]  # equal by settings, and a Groups holds a dict

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value!r}" for key, value in self.to_config().items() if key != "rule")
        return f"{type(self).__name__}({settings})"


class Rule(Optimizer):
    """One update rule for every parameter it is given, entry by entry.

    A subclass lists its settings in ``_settings`` (names of constructor arguments and attributes alike), what it
    remembers of a parameter, with its value at the start, in ``_slots``, and writes ``_update``.
    """

    name: ClassVar[str]
    _settings: ClassVar[tuple[str, ...]]
    _counted: ClassVar[bool] = False
    """Whether an update depends on the number of the step."""
    _slots: Mapping[str, float]

    def to_config(self) -> dict[str, Any]:
        """The rule's name under ``"rule"``, and every setting with its value in force."""
        settings = {key: getattr(self, key) for key in self._settings}
        # JSON knows no tuples; without them the settings equal themselves after a round trip.
        return {"rule": self.name} | {key: list(v) if isinstance(v, tuple) else v for key, v in settings.items()}

    def _rules(self, names: Iterable[str]) -> dict[str, Rule]:
        return dict.fromkeys(names, self)

    @abstractmethod
    def _update(self, step: int) -> Update:
        """The update number ``step``, from 1."""


def fraction(name: str, value: object) -> float:
    """``value`` as a float in [0, 1)."""
    result = number(name, value)
    if result >= 1.0:
        raise OptionError(f"{name} is {value}; expected a number in [0, 1).")
    return result
