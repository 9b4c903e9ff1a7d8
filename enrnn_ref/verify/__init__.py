"""Verification of gradients, ours and other people's: verdicts, laws, golden vectors, adapters, diagnosis."""

from enrnn_ref.verify import adapters as adapters
from enrnn_ref.verify import diagnosis as diagnosis
from enrnn_ref.verify import laws as laws
from enrnn_ref.verify import page as page
from enrnn_ref.verify import vectors as vectors
from enrnn_ref.verify.gradient import check_gradient as check_gradient
from enrnn_ref.verify.model import check_model as check_model
from enrnn_ref.verify.report import Entry as Entry
from enrnn_ref.verify.report import Report as Report
from enrnn_ref.verify.report import Row as Row
from enrnn_ref.verify.spectra import check_spectrum as check_spectrum
from enrnn_ref.verify.verdicts import Verdict as Verdict
