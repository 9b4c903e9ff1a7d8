"""Golden vectors: inputs and reference values of every model, to fifty digits, for implementations in any language."""

from enrnn_ref.verify.vectors.answers import AnswersFile as AnswersFile
from enrnn_ref.verify.vectors.case import Case as Case
from enrnn_ref.verify.vectors.case import Value as Value
from enrnn_ref.verify.vectors.case import load as load
from enrnn_ref.verify.vectors.function import Function as Function
from enrnn_ref.verify.vectors.judge import judge as judge
from enrnn_ref.verify.vectors.process import Program as Program
from enrnn_ref.verify.vectors.sources import verify as verify
from enrnn_ref.verify.vectors.suite import Suite as Suite
