"""The rules there are, by name."""

from __future__ import annotations

from enrnn_ref.optimizers.adagrad import Adagrad
from enrnn_ref.optimizers.adam import Adam
from enrnn_ref.optimizers.rmsprop import RMSprop
from enrnn_ref.optimizers.rule import Rule
from enrnn_ref.optimizers.sgd import SGD

RULES: dict[str, type[Rule]] = {rule.name: rule for rule in (SGD, RMSprop, Adam, Adagrad)}
