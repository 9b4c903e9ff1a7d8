"""enrnn_ref: a verified reference of the Eigenvalue Normalized RNN and its relatives, gradients written by hand."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from enrnn_ref import cells as cells
from enrnn_ref import errors as errors
from enrnn_ref import filters as filters
from enrnn_ref import initializers as initializers
from enrnn_ref import losses as losses
from enrnn_ref import models as models
from enrnn_ref import optimizers as optimizers
from enrnn_ref import parametrizations as parametrizations
from enrnn_ref import tasks as tasks
from enrnn_ref import weights as weights
from enrnn_ref.linalg import dominant_eigenpair as dominant_eigenpair
from enrnn_ref.models import ENRNN as ENRNN
from enrnn_ref.models import GRU as GRU
from enrnn_ref.models import LSTM as LSTM
from enrnn_ref.models import RNN as RNN
from enrnn_ref.models import AdamLSTM as AdamLSTM
from enrnn_ref.models import Bidirectional as Bidirectional
from enrnn_ref.models import ExpRNN as ExpRNN
from enrnn_ref.models import MomentumLSTM as MomentumLSTM
from enrnn_ref.models import MomentumRNN as MomentumRNN
from enrnn_ref.models import NnRNN as NnRNN
from enrnn_ref.models import Recurrence as Recurrence
from enrnn_ref.models import RMSPropLSTM as RMSPropLSTM
from enrnn_ref.models import ScheduledRestartLSTM as ScheduledRestartLSTM
from enrnn_ref.models import ScoRNN as ScoRNN
from enrnn_ref.models import ScuRNN as ScuRNN
from enrnn_ref.models import Stacked as Stacked

if TYPE_CHECKING:
    from enrnn_ref import analysis as analysis
    from enrnn_ref import verify as verify

__version__ = "0.1.0"

_ON_FIRST_USE = ("analysis", "verify")
"""Rooms that take as long to import as all others together."""


def __getattr__(name: str) -> ModuleType:
    if name in _ON_FIRST_USE:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ON_FIRST_USE})
