"""Optimisers out of plain JSON."""

from __future__ import annotations

from collections.abc import Mapping

from enrnn_ref.errors import ConfigError, EnrnnError
from enrnn_ref.optimizers.groups import Groups
from enrnn_ref.optimizers.rule import Optimizer, Rule
from enrnn_ref.optimizers.rules import RULES


def from_config(config: object) -> Optimizer:
    """The optimiser that ``config`` describes; the inverse of ``to_config``.

    Parameters
    ----------
    config : dict
        ``{"rule": "rmsprop", "lr": 1e-3, …}`` with the settings of the class as keys, those that have a default may be
        left out; or ``{"rule": "groups", "groups": {name: config}, "default": config}``.

    Raises
    ------
    ConfigError
        An unknown rule, an unknown or missing key, or a value the rule refuses.
    """
    if isinstance(config, Mapping) and config.get("rule") == "groups":
        groups = config.get("groups")
        if set(config) != {"rule", "groups", "default"} or not isinstance(groups, Mapping):
            raise ConfigError(
                f"the config of 'groups' has the keys {list(config)}; expected 'rule', 'groups' (an object, "
                "parameter name -> config) and 'default' (a config)."
            )
        members = {name: _rule_from_config(member) for name, member in groups.items()}
        return Groups(members, _rule_from_config(config["default"]))
    return _rule_from_config(config)


def _rule_from_config(config: object) -> Rule:
    if not isinstance(config, Mapping):
        raise ConfigError(f"an optimizer's config is a {type(config).__name__}; expected a JSON object.")
    settings = dict(config)
    name = settings.pop("rule", None)
    if not isinstance(name, str) or name not in RULES:
        raise ConfigError(f"an optimizer's 'rule' is {name!r}; expected one of {list(RULES)}.")
    rule = RULES[name]
    unknown = [key for key in settings if key not in rule._settings]
    if unknown or "lr" not in settings:
        found = f"unknown: {unknown}" if unknown else "missing: ['lr']"
        raise ConfigError(f"the config of {name!r} has the wrong keys ({found}); expected {list(rule._settings)}.")
    try:
        return rule(**settings)
    except EnrnnError as error:
        raise ConfigError(f"the config of {name!r} is refused: {error}") from error
