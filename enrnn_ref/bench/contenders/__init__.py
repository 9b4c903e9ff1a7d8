"""Who is measured: a name, what it is, what it needs, and which sizes it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from enrnn_ref.bench.contenders.arithmetic import Arithmetic
from enrnn_ref.bench.contenders.base import Contender as Contender
from enrnn_ref.bench.contenders.jax_scan import JaxScan
from enrnn_ref.bench.contenders.ours import Fresh, Gated, Ours
from enrnn_ref.bench.contenders.products import MklProducts, OpenblasProducts
from enrnn_ref.bench.contenders.torch_compile import TorchCompile
from enrnn_ref.bench.contenders.torch_eager import TorchEager
from enrnn_ref.bench.contenders.torch_layers import TorchLayer
from enrnn_ref.bench.workload import Workload
from enrnn_ref.models import GRU, LSTM

BARE, WITH_FREE = "R given", "from the free parameters"


@dataclass(frozen=True)
class Entry:
    """A contender on the list.

    Attributes
    ----------
    label : str
        How tables call it.
    make : callable
        Prepares it for a workload.
    library : str
        The module it needs beyond what this package needs, and the extra that brings it; empty: none.
    fits : callable
        Whether it says anything about a workload.
    """

    label: str
    make: Callable[[Workload], Contender]
    library: str = ""
    fits: Callable[[Workload], bool] = lambda work: True


CONTENDERS = {
    "ours": Entry("ENRNN, enrnn_ref", Ours),
    "ours_1_thread": Entry("ENRNN, enrnn_ref on 1 thread", partial(Ours, threads=1), fits=lambda w: w.threads > 1),
    "ours_fresh": Entry("ENRNN, enrnn_ref, not decayed", Fresh, fits=lambda w: w.size.decayed),
    "reference": Entry("ENRNN, enrnn_ref, backend reference", partial(Ours, backend="reference")),
    "eager": Entry(f"ENRNN, PyTorch eager, {BARE}", TorchEager, "torch"),
    "compiled": Entry(f"ENRNN, torch.compile, {BARE}", TorchCompile, "torch"),
    "jax": Entry(f"ENRNN, JAX jit + scan, {BARE}", JaxScan, "jax"),
    "eager_free": Entry(f"ENRNN, PyTorch eager, {WITH_FREE}", partial(TorchEager, free=True), "torch"),
    "compiled_free": Entry(f"ENRNN, torch.compile, {WITH_FREE}", partial(TorchCompile, free=True), "torch"),
    "jax_free": Entry(f"ENRNN, JAX jit + scan, {WITH_FREE}", partial(JaxScan, free=True), "jax"),
    "mkl": Entry("products alone, MKL, threads inside", partial(MklProducts, shares=False), "torch"),
    "mkl_shares": Entry(
        "products alone, MKL, sequences split", partial(MklProducts, shares=True), "torch", lambda w: w.threads > 1
    ),
    "openblas": Entry("products alone, OpenBLAS, threads inside", partial(OpenblasProducts, shares=False)),
    "openblas_shares": Entry(
        "products alone, OpenBLAS, sequences split",
        partial(OpenblasProducts, shares=True),
        fits=lambda w: w.threads > 1,
    ),
    "arithmetic": Entry("multiply-adds alone, from registers", Arithmetic),
    "arithmetic_1_thread": Entry(
        "multiply-adds alone, from registers, 1 thread", partial(Arithmetic, threads=1), fits=lambda w: w.threads > 1
    ),
    "torch_rnn": Entry("torch.nn.RNN", partial(TorchLayer, kind="RNN"), "torch"),
    "torch_lstm": Entry("torch.nn.LSTM", partial(TorchLayer, kind="LSTM"), "torch"),
    "ours_lstm": Entry("LSTM, enrnn_ref", partial(Gated, kind=LSTM)),
    "torch_gru": Entry("torch.nn.GRU", partial(TorchLayer, kind="GRU"), "torch"),
    "ours_gru": Entry("GRU, enrnn_ref", partial(Gated, kind=GRU)),
}
