"""Parameters with rules of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from enrnn_ref.errors import OptionError, ParameterError
from enrnn_ref.optimizers.rule import Optimizer, Rule
from enrnn_ref.optimizers.rules import RULES


class Groups(Optimizer):
    """A rule of its own for named parameters, ``default`` for all others.

    Parameters
    ----------
    groups : dict
        Parameter name -> rule, for example ``{"skew": RMSprop(1e-5)}``.
    default : Rule

    Raises
    ------
    OptionError
        A member is not one of the elementwise rules.
    """

    def __init__(self, groups: Mapping[str, Rule], default: Rule) -> None:
        if not isinstance(groups, Mapping):
            raise OptionError(f"groups is a {type(groups).__name__}; expected a dict of parameter name -> rule.")
        for label, rule in [("default", default), *((f"groups[{name!r}]", rule) for name, rule in groups.items())]:
            if not isinstance(rule, Rule):
                raise OptionError(f"{label} is a {type(rule).__name__}; expected one of {', '.join(RULES)}.")
        self.groups = dict(groups)
        self.default = default

    def to_config(self) -> dict[str, Any]:
        """``{"rule": "groups", "groups": {name: settings}, "default": settings}``."""
        groups = {name: rule.to_config() for name, rule in self.groups.items()}
        return {"rule": "groups", "groups": groups, "default": self.default.to_config()}

    def _rules(self, names: Iterable[str]) -> dict[str, Rule]:
        own = self.groups
        unknown = [name for name in own if name not in names]
        if unknown:
            raise ParameterError(f"groups names {unknown}; expected parameters out of {list(names)}.")
        return {name: own.get(name, self.default) for name in names}
