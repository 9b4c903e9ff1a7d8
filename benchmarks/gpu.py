"""Time the CUDA backend on a GPU: every rung of its kernels, and whole passes beside PyTorch, JAX and cuBLAS.

    python benchmarks/gpu.py [--out DIR] [--repeats N] [--quick]

Writes gpu-<device>.json to benchmarks/results, after every case anew, and prints bars and ladder as Markdown. Ends with
status 2 where no kernel can run, and says what is missing; with 1 where something that is there has failed.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from enrnn_ref import backends
from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.backends.base import flush_below, state_room
from enrnn_ref.bench import Size, Timing, machine, ratio
from enrnn_ref.bench.contenders import Contender
from enrnn_ref.bench.contenders.jax_scan import JaxScan
from enrnn_ref.bench.contenders.ours import Gated, Ours
from enrnn_ref.bench.contenders.products import MklProducts
from enrnn_ref.bench.contenders.torch_eager import TorchEager
from enrnn_ref.bench.contenders.torch_layers import TorchLayer
from enrnn_ref.bench.measure import FEW, SLOW
from enrnn_ref.bench.report import quotient
from enrnn_ref.bench.timing import Setting, middle
from enrnn_ref.bench.workload import Workload, workload
from enrnn_ref.errors import BackendUnavailable, OptionError
from enrnn_ref.models import LSTM, RNN, Recurrence

try:
    from enrnn_ref.backends.cuda import loops
    from enrnn_ref.backends.cuda.arrays import to_device, zeros
    from enrnn_ref.backends.cuda.operands import Operands
    from enrnn_ref.backends.cuda.rule import RUNGS, Plan, forced, loop_of, plan
    from enrnn_ref.backends.cuda.target import SIMULATED, TARGET, cuda, kernel
    from enrnn_ref.backends.cuda.units import units_of
    from enrnn_ref.bench.device_step import DeviceStep, launches_of
except BackendUnavailable as missing:
    print(missing, file=sys.stderr)
    sys.exit(2)

FORMAT, VERSION = "enrnn_ref gpu bench", 1
RESULTS = Path(__file__).parent / "results"
BUDGET = 270.0  # seconds: what has not begun by then is left out, and named
REPEATS, QUICK = 9, 3
AHEAD = 1_000_000  # nanoseconds that the device waits while a launch and its two events are queued, or
LAUNCHES_AHEAD = 5  # so many launches: the host takes less than 200 µs for one
MOST_WAITS = 512  # fewer than may be queued
STEPS = 10  # of a training, one after the other; the first finds the device idle
PACKAGES = ("enrnn-ref", "numpy", "numba", "numba-cuda", "torch", "jax", "jaxlib")


@dataclass(frozen=True)
class Case:
    """A system at a size, and the ``PEERS`` that run the same."""

    size: Size
    kind: str = "ENRNN"
    peers: tuple[str, ...] = ("eager", "jax", "cublas")

    @property
    def name(self) -> str:
        return f"{self.kind} {self.size.name}"


def layer(kind: str, n: int, batch: int) -> Case:
    """A size at which a layer of PyTorch, by cuDNN, is in its element."""
    return Case(Size(f"{n} x {batch}", n, 0, batch, 256, 64), kind, ("layer",))


CASES = (
    Case(Size("adding", 96, 64, 50, 750)),
    Case(Size("copying", 172, 20, 20, 2020, 10)),
    Case(Size("wide", 512, 512, 256, 256, 64)),
    layer("LSTM", 256, 256),
    layer("RNN", 256, 256),
    Case(Size("small", 64, 32, 50, 750), peers=()),  # that every rung can take
    layer("LSTM", 128, 32),
    layer("RNN", 128, 32),
    layer("LSTM", 256, 32),
    layer("RNN", 256, 32),
    layer("LSTM", 128, 256),
    layer("RNN", 128, 256),
)
"""In order of importance: time may run out."""


@dataclass(frozen=True)
class Bar:
    """What shall be reached: ``above`` over ``below``, or milliseconds of ``above`` where ``below`` is empty."""

    text: str
    cases: tuple[str, ...]
    above: str
    below: str
    limit: float
    large_is_good: bool

    def met(self, value: float) -> bool:
        return value >= self.limit if self.large_is_good else value <= self.limit

    @property
    def wanted(self) -> str:
        return f"{'≥' if self.large_is_good else '≤'} {self.limit:g}{'' if self.below else ' ms'}"


BARS = (
    Bar("forward + backward", ("ENRNN adding",), "ours", "", 6.0, False),
    Bar("PyTorch eager / ours", ("ENRNN adding", "ENRNN copying"), "eager", "ours", 10.0, True),
    Bar("JAX jit + scan / ours", ("ENRNN adding", "ENRNN copying"), "jax", "ours", 3.0, True),
    Bar("ours / products alone by cuBLAS, float32", ("ENRNN wide",), "ours", "cublas", 2.5, False),
    # A tenth of a step spent waiting for the host.
    Bar("training step / its launches alone", ("ENRNN adding", "ENRNN copying"), "step", "queued", 1.11, False),
    *(
        Bar(
            f"torch.nn.{kind} by cuDNN / ours",
            tuple(case.name for case in CASES if case.kind == kind),
            "layer",
            "ours",
            1.5,
            True,
        )
        for kind in ("RNN", "LSTM")
    ),
)

LABELS = {
    "ours": "ours, arrays on the device",
    "resident": "ours, model calls on arrays of the device",
    "whole": "ours, model calls from host to host",
    "step": "ours, a training step",
    "queued": "its launches alone",
    "eager": "ENRNN, PyTorch eager, R given",
    "jax": "ENRNN, JAX jit + scan, R given",
    "cublas": "products alone, cuBLAS",
    "layer": "torch.nn layer, cuDNN",
}
PRODUCTS = ("drive", "dR", "dU", "dx", "db")

NOTES = f"""\
- "Ours, arrays on the device": drive, forward loop, backward loop, dR, dU, dx and bias gradients, R given, between two
  events, as the rule chooses the rungs. Peers do the same work on arrays that lie on the device: PyTorch between two
  events, JAX until its results are ready. No TF32 anywhere.
- "Model calls on arrays of the device": `forward` and `backward` as a training step calls them, R made from its free
  arrays on the device and its gradient pulled back, between two events: what the device waits for the host counts. Bars
  are judged without it; what they would be with it stands beside them.
- "Model calls from host to host": the same calls with arrays of the host. R is made there, and everything crosses.
- "A training step": forward, loss, backward and optimiser of an ENRNN of that size with its last state read out, begun
  before the numbers of the step before are read, as in a training loop; its batch comes from the host; the mean of
  {STEPS} between two events. "Its launches alone": the very same, queued again while the device waits for them.
  The quotient tells what the device waits for the host, what crosses included: 1.11 is a tenth of the step. What is
  queued again takes no memory twice, as a step does, and may take a little longer for it.
- Loops and products of the ladder are launched behind {1e-6 * AHEAD:g} ms of waiting, so that what the host needs for a
  launch does not count; for rung "steps", which is thousands of launches, it does.
- dR, dU and bias gradients are sums over slices of time. Room for these sums is made anew each time, which counts, here
  and in the pass.
- All calls of a case take turns, after two rounds that do not count. What takes more than {SLOW:g} s takes part in
  {FEW} rounds only.
"""


class Call(NamedTuple):
    """What is timed, and what happens before the clock starts.

    ``event`` makes a mark for the device's queue; without one the host's clock counts, and ``run`` must wait for its
    results. ``ahead``: how many times :data:`AHEAD` the device is kept waiting, until all is queued. ``times``: how
    often it runs, one after the other; the seconds are those of one.
    """

    run: Callable[[], object]
    before: Callable[[], object] = lambda: None
    setting: Setting = nullcontext
    event: Callable[[], Any] | None = None
    ahead: int = 0
    times: int = 1

    def seconds(self) -> float:
        with self.setting():
            self.before()
            cuda.synchronize()
            if self.event is None or SIMULATED:  # whose events have no times
                start = time.perf_counter()
                self._run_all()
                return (time.perf_counter() - start) / self.times
            waits = self.ahead
            while True:
                for _ in range(waits):
                    _wait[1, 1](AHEAD)
                first, last = self.event(), self.event()
                first.record()
                self._run_all()
                early = waits > 0 and first.query()  # the device had begun before all was queued
                last.record()
                last.synchronize()
                if not early:
                    elapsed: float = first.elapsed_time(last)
                    return 1e-3 * elapsed / self.times
                waits *= 2
                if waits > MOST_WAITS:
                    raise RuntimeError(f"the device began after {waits // 2} waits; expected it behind the host.")

    def _run_all(self) -> None:
        for _ in range(self.times):
            self.run()


@kernel
def _wait(nanoseconds: int) -> None:
    cuda.nanosleep(nanoseconds)


class OnDevice:
    """A workload whose arrays lie on the device, and a pass over it by the functions that the backend calls.

    The matrix R is given, and products are dense. What one pass has written the next overwrites.
    """

    def __init__(self, model: Recurrence, params: Arrays, work: Workload) -> None:
        size, dtype, self.cell = work.size, work.dtype, model.cell
        self.units, self.below = units_of(self.cell), flush_below(work.x)
        engine = backends.get("cuda")
        there = {name: engine.take(array) for name, array in params.items()}
        step = model._sweep.step(engine, there, engine.take(model.recurrent_matrix(params)))
        self.on = Operands.of(self.cell, step)
        host = backends.get("reference")
        initial = model._layout.stack(host, {"h": work.start}, size.batch, dtype)
        form = (size.steps, size.batch, self.cell.gates, size.units)
        self.z, self.dz, self.drive = (cuda.device_array(form, dtype) for _ in range(3))
        states = map(to_device, state_room(host, initial, size.steps))
        self.tape, self.dy = loops.DeviceTape(self.z, *states, None, None), to_device(work.dy)
        of_parameters = (self.units.layout.parameters, size.batch, size.units)
        self.carried, self.zero = (
            loops.Carried(*(zeros(part.shape, dtype) for part in initial), zeros(of_parameters, dtype))
            for _ in range(2)
        )

        x, weight, none = to_device(work.x), params["input"], zeros((0,), dtype)
        self.dx = cuda.device_array(work.x.shape, dtype)
        z, dz = (array.reshape(size.steps, size.batch, len(weight)) for array in (self.z, self.dz))
        drives = self.cell.drive_bias
        bias = to_device(params["bias"]) if drives else none  # modReLU's is the cell's one parameter
        self.products: dict[str, Callable[[], Any]] = {
            "drive": partial(loops.affine, z, x, to_device(weight[np.newaxis]), bias),
            "dR": partial(loops.correlate, dz, self.tape.h[:-1]),
            "dU": partial(loops.correlate, dz, x),
            "dx": partial(loops.affine, self.dx, dz, to_device(weight.T[np.newaxis]), none),
            "db": partial(loops.total, dz) if drives else partial(loops.total_of_each, self.carried.dtheta),
        }
        self.products["drive"]()
        self.drive.copy_to_device(self.z)

    def shape(self, rung: str | None, *, backwards: bool) -> Plan:
        """How a rung would run a loop, or the one that the rule chooses; OptionError: it cannot take it."""
        _, batch, _, n = self.z.shape
        loop = loop_of(self.cell, n, batch, self.below.dtype, backwards=backwards)
        engine: Any = backends.get("cuda")
        with nullcontext() if rung is None else forced(rung):
            return plan(self.cell, loop, False, engine.limits)

    def forward(self, shape: Plan) -> None:
        """The loop; z must hold the drive."""
        loops.forward(self.units, self.on, shape, self.tape, self.below)

    def backward(self, shape: Plan) -> None:
        """The reverse loop, after ``reset``."""
        loops.backward(self.units, self.on, shape, self.tape, self.dy, self.carried, self.dz, self.below)

    def restore(self) -> None:
        """The drive where the loop has put pre-activations."""
        self.z.copy_to_device(self.drive)

    def reset(self) -> None:
        """Zero where the reverse loop adds."""
        for array, zero in zip(self.carried, self.zero, strict=True):
            array.copy_to_device(zero)

    def both(self, forward: Plan, backward: Plan) -> dict[str, Any]:
        """A pass: what a training step does on the device. Returns its gradients."""
        self.products["drive"]()
        self.forward(forward)
        self.reset()
        self.backward(backward)
        return {name: self.products[name]() for name in PRODUCTS[1:]} | {"dx": self.dx}


class EagerOnGpu(TorchEager):
    """Its arrays on the device; returns when everything is queued."""

    def __init__(self, work: Workload) -> None:
        super().__init__(work)
        self.leaves = {name: _leaf(leaf) for name, leaf in self.leaves.items()}
        self.start, self.dy = self.start.cuda(), self.dy.cuda()


class LayerOnGpu(TorchLayer):
    """By cuDNN."""

    def __init__(self, work: Workload, kind: str) -> None:
        super().__init__(work, kind)
        self.layer.cuda()
        self.x, self.dy = _leaf(self.x), self.dy.cuda()
        self.start = tuple(part.cuda() for part in self.start) if isinstance(self.start, tuple) else self.start.cuda()


class CublasProducts(MklProducts):
    """By PyTorch, whose products on the device are cuBLAS's."""

    def _own(self, array: Array) -> Any:
        return super()._own(array).cuda()


def _leaf(tensor: Any) -> Any:
    return tensor.detach().cuda().requires_grad_()


def _by_torch(make: Callable[[Workload], Contender], work: Workload) -> Call:
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        raise BackendUnavailable(f"PyTorch {torch.__version__} finds no GPU; expected a build for CUDA.")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    contender = make(work)
    return Call(contender.run, setting=contender.setting, event=partial(torch.cuda.Event, enable_timing=True))


def _by_jax(work: Workload) -> Call:
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # it is not alone on the device
    jax = importlib.import_module("jax")
    if jax.default_backend() != "gpu":
        raise BackendUnavailable(f"JAX {jax.__version__} finds no GPU; expected its plugin for CUDA.")
    jax.config.update("jax_default_matmul_precision", "float32")
    contender = JaxScan(work)
    return Call(contender.run, setting=contender.setting)


PEERS: dict[str, Callable[[Case, Workload], Call]] = {
    "eager": lambda case, work: _by_torch(EagerOnGpu, work),
    "jax": lambda case, work: _by_jax(work),
    "cublas": lambda case, work: _by_torch(partial(CublasProducts, shares=False), work),
    "layer": lambda case, work: _by_torch(partial(LayerOnGpu, kind=case.kind), work),
}


LAYERS: dict[str, type[RNN] | type[LSTM]] = {"RNN": RNN, "LSTM": LSTM}


def model_of(case: Case, work: Workload) -> tuple[Recurrence, Arrays]:
    """The system, with the parameters that its peers are given too."""
    if case.kind == "ENRNN":
        return work.model, work.params
    model = LAYERS[case.kind](work.size.inputs, work.size.units)
    return model, model.init(0, work.dtype)


def calls(case: Case, work: Workload) -> Iterator[tuple[str, Callable[[], Call]]]:
    """Name → what prepares the call: ours, peers, loops on every rung, products."""
    model, params = model_of(case, work)
    ours = OnDevice(model, params, work)
    chosen = [ours.shape(None, backwards=backwards) for backwards in (False, True)]
    yield "ours", lambda: Call(lambda: ours.both(*chosen), event=cuda.event)
    for name in case.peers:
        yield name, partial(PEERS[name], case, work)
    for rung in RUNGS:
        yield f"forward {rung}", partial(_loop, ours, rung, backwards=False)
        yield f"backward {rung}", partial(_loop, ours, rung, backwards=True)
    for name in PRODUCTS:
        yield name, partial(Call, ours.products[name], event=cuda.event, ahead=1)
    if case.kind == "ENRNN":
        step = cache(partial(DeviceStep, case.size))
        yield "step", lambda: Call(step().run, event=cuda.event, times=STEPS)
        yield "queued", lambda: _queued(step())
    yield "resident", partial(_resident, case, work)
    yield "whole", partial(_whole, case, work)


def _loop(ours: OnDevice, rung: str, *, backwards: bool) -> Call:
    run, before = (ours.backward, ours.reset) if backwards else (ours.forward, ours.restore)
    ahead = 0 if rung == "steps" else 1  # thousands of launches cannot be queued ahead
    return Call(partial(run, ours.shape(rung, backwards=backwards)), before, event=cuda.event, ahead=ahead)


def _queued(step: DeviceStep) -> Call:
    step.run()  # compiles
    launches = launches_of(step.run)

    def again() -> None:
        for launch in launches:
            launch()

    return Call(again, event=cuda.event, ahead=1 + len(launches) // LAUNCHES_AHEAD)


class GatedOnGpu(Gated):
    """Whole calls of a layer."""

    def __init__(self, work: Workload, kind: Any) -> None:
        super().__init__(work, kind)
        self._backend = "cuda"


def _contender(case: Case, work: Workload) -> Ours:
    return Ours(work, backend="cuda") if case.kind == "ENRNN" else GatedOnGpu(work, LAYERS[case.kind])


def _whole(case: Case, work: Workload) -> Call:
    contender = _contender(case, work)
    return Call(contender.run, setting=contender.setting)


def _resident(case: Case, work: Workload) -> Call:
    contender, take = _contender(case, work), backends.get("cuda").take

    def there(named: Arrays) -> Arrays:
        return {name: take(array) for name, array in named.items()}

    contender.work = replace(work, x=take(work.x))
    contender.turns = cycle([there(next(contender.turns)) for _ in range(2)])
    contender.start, contender.dy = there(contender.start), take(contender.dy)
    return Call(contender.run, setting=contender.setting, event=cuda.event)


def rounds(ready: Mapping[str, Call], repeats: int, until: float) -> dict[str, Timing]:
    """Every call in turns, after a round that does not count; past the time ``until`` it does, and is the only one."""
    samples: dict[str, list[float]] = {name: [] for name in ready}
    wanted = dict.fromkeys(ready, repeats)
    gc.collect()
    gc.disable()
    try:
        for number in range(1 + repeats):
            for name, call in ready.items():
                taken = samples[name]
                if len(taken) >= wanted[name] or (taken and time.monotonic() > until):
                    continue
                seconds = call.seconds()
                if number > 0 or time.monotonic() > until:
                    taken.append(seconds)
                elif seconds > SLOW:
                    wanted[name] = min(repeats, FEW)
    finally:
        gc.enable()
    return {name: Timing(tuple(taken)) for name, taken in samples.items()}


def measured(case: Case, repeats: int, until: float) -> dict[str, Any]:
    """A case of the report. ``left_out``: what cannot be, and why; ``failed``: what should have been."""
    work = workload(case.size, np.dtype(np.float32), 1)
    ready: dict[str, Call] = {}
    left_out: dict[str, str] = {}
    failed: dict[str, str] = {}
    for name, prepare in calls(case, work):
        if time.monotonic() > until:
            left_out[name] = "no time was left"
            continue
        try:
            call = prepare()
            call.seconds()  # compiles
            ready[name] = call
        except (ImportError, OptionError, BackendUnavailable) as error:
            left_out[name] = _line(error)
        except Exception as error:  # a finding: the others shall be timed all the same
            failed[name] = _failure(error)
    times = rounds(ready, repeats, until)
    engine: Any = backends.get("cuda")
    shapes = engine.plan(model_of(case, work)[0].cell, case.size.units, case.size.batch, work.dtype)
    return {
        "case": case.name,
        "size": case.size.to_dict(),
        "dtype": work.dtype.name,
        "chosen": {way: {"rung": shape.rung, "plan": str(shape)} for way, shape in zip(WAYS, shapes, strict=True)},
        "times": {name: timing.to_dict() for name, timing in times.items()},
        "left_out": left_out,
        "failed": failed,
    }


WAYS = ("forward", "backward")


def _line(error: object) -> str:
    return " ".join(str(error).split())


def _failure(error: Exception) -> str:
    """For the report; the whole of it to the terminal."""
    traceback.print_exception(error)
    return f"{type(error).__name__}: {_line(error)}"


def bars(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Every bar at every case: what is wanted, ``measured``, the same with model calls, and ``met`` (None: not
    measured, and ``why``)."""
    cases = {case["case"]: case for case in report["cases"]}
    found = []
    for bar in BARS:
        for name in bar.cases:
            case = cases.get(name, {"times": {}, "left_out": {}, "failed": {}})
            value = _value(bar, case, "ours")
            reasons = report["left_out"] | report["failed"] | case["failed"] | case["left_out"]
            why = "; ".join(reasons[key] for key in (name, bar.above, bar.below) if key in reasons)
            found.append(
                {
                    "bar": bar.text,
                    "case": name,
                    "wanted": bar.wanted,
                    "limit": bar.limit,
                    "large_is_good": bar.large_is_good,
                    "measured": value,
                    "with_model_calls": _value(bar, case, "resident") if "ours" in (bar.above, bar.below) else None,
                    "met": None if value is None else bar.met(value["median"]),
                    "why": why if value is None else "",
                }
            )
    return found


def _value(bar: Bar, case: dict[str, Any], ours: str) -> dict[str, float] | None:
    """Median and quartiles of a bar's quotient, or of its milliseconds, from the samples."""
    names = [ours if name == "ours" else name for name in (bar.above, bar.below) if name]
    if any(name not in case["times"] for name in names):
        return None
    times = [Timing(tuple(case["times"][name]["samples"])) for name in names]
    return ratio(*times) if bar.below else middle([1e3 * seconds for seconds in times[0].samples])


def markdown(report: dict[str, Any]) -> str:
    """Bars, ladder, products, passes, and what is missing."""
    judged = report["bars"]
    met, open_ = (sum(bar["met"] is value for bar in judged) for value in (True, None))
    lines = [
        f"# The CUDA backend on {report['machine']['device']}",
        "",
        ", ".join(f"{key} {value}" for key, value in report["machine"].items()) + ".",
        "",
        f"float32, medians of up to {report['repeats']} rounds, {report['seconds']:.0f} s in all.",
        "",
        f"## Bars: {met} of {len(judged)} met, {open_} not measured",
        "",
        *_table(("", "case", "wanted", "measured (quartiles)", "", "with model calls"), map(_bar, judged)),
        "",
        "## The ladder: milliseconds of a loop (µs a step)",
        "",
        *_table(("case", "loop", *RUNGS, "the rule takes"), _ladder(report)),
        "",
        "## Products over all times, milliseconds",
        "",
        *_table(("case", *PRODUCTS), _times(report, PRODUCTS)),
        "",
        "## Forward + backward, milliseconds: median (fastest to slowest)",
        "",
        *_table(("case", *LABELS.values()), _times(report, tuple(LABELS))),
        "",
    ]
    missing = list(_missing(report))
    if missing:
        lines += ["## Left out, failed", "", *missing, ""]
    return "\n".join([*lines, "## What is measured", "", NOTES])


def _bar(bar: dict[str, Any]) -> Sequence[str]:
    verdict = {True: "met", False: "**not met**", None: "not measured"}[bar["met"]]
    measured_, whole = ("–" if bar[key] is None else quotient("", bar[key]) for key in ("measured", "with_model_calls"))
    return bar["bar"], bar["case"], bar["wanted"], measured_, verdict, whole


def _ladder(report: dict[str, Any]) -> Iterator[Sequence[str]]:
    for case in report["cases"]:
        for way in WAYS:
            cells = []
            for rung in RUNGS:
                timing = case["times"].get(f"{way} {rung}")
                cells.append(
                    "–"
                    if timing is None
                    else f"{1e3 * timing['median']:.4g} ({1e6 * timing['median'] / case['size']['steps']:.3g})"
                )
            yield case["case"], way, *cells, case["chosen"][way]["rung"]


def _times(report: dict[str, Any], names: Sequence[str]) -> Iterator[Sequence[str]]:
    for case in report["cases"]:
        timings = [case["times"].get(name) for name in names]
        yield (
            case["case"],
            *(
                "–"
                if timing is None
                else "{:.4g} ({:.4g} to {:.4g})".format(
                    *(1e3 * timing[key] for key in ("median", "fastest", "slowest"))
                )
                for timing in timings
            ),
        )


def _missing(report: dict[str, Any]) -> Iterator[str]:
    for kind, mark in (("left_out", ""), ("failed", "**failed**: ")):
        yield from (f"- {name}: {mark}{reason}" for name, reason in report[kind].items())
        for case in report["cases"]:
            names: dict[str, list[str]] = {}
            for name, reason in case[kind].items():
                names.setdefault(reason, []).append(name)
            yield from (f"- {case['case']}, {', '.join(alike)}: {mark}{reason}" for reason, alike in names.items())


def _table(header: Sequence[str], rows: Any) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


def hardware() -> dict[str, str]:
    """The device, its driver, and the versions of everything."""
    found = {"device": "simulator", "driver": "none"}
    if not SIMULATED:
        device = cuda.get_current_device()
        major, minor = device.compute_capability
        found = {
            "device": device.name if isinstance(device.name, str) else device.name.decode(),
            "compute capability": f"{major}.{minor}",
            "multiprocessors": str(device.MULTIPROCESSOR_COUNT),
            "driver": _driver(),
        }
    return found | {"target": TARGET} | machine(*PACKAGES)


def _driver() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return "unknown (no nvidia-smi)"
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return next(iter(answer.stdout.split()), "unknown")


def unavailable() -> str:
    """What is missing, in a line; empty: kernels run."""
    try:
        backends.get("cuda")
    except BackendUnavailable as error:
        return _line(error)
    return ""


def write(report: dict[str, Any], folder: Path) -> Path:
    """gpu-<device>.json, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", report["machine"]["device"].lower()).strip("-")
    path = folder / f"gpu-{name}.json"
    beside = path.with_suffix(".json.new")
    beside.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
    return path


def main(given: Sequence[str] | None = None, cases: Sequence[Case] = CASES, budget: float = BUDGET) -> int:
    begun = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for gpu-<device>.json (default: results)")
    parser.add_argument("--repeats", type=int, help=f"rounds that count (default: {REPEATS})")
    parser.add_argument("--quick", action="store_true", help=f"the first case alone, {QUICK} rounds")
    options = parser.parse_args(given)
    reason = unavailable()
    if reason:
        print(reason, file=sys.stderr)
        return 2
    repeats = options.repeats or (QUICK if options.quick else REPEATS)
    report: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "machine": hardware(),
        "repeats": repeats,
        "cases": [],
        "left_out": {},
        "failed": {},
    }
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()), flush=True)
    for number, case in enumerate(cases):
        elapsed = time.monotonic() - begun
        if options.quick and number > 0:
            report["left_out"][case.name] = "--quick was given"
        elif elapsed > budget:
            report["left_out"][case.name] = f"no time was left of {budget:g} s"
        else:
            print(f"{case.name} ({case.size.text}), after {elapsed:.0f} s", flush=True)
            try:
                report["cases"].append(measured(case, repeats, begun + budget))
            except Exception as error:  # what was measured before is kept
                report["failed"][case.name] = _failure(error)
        report["bars"], report["seconds"] = bars(report), time.monotonic() - begun
        path = write(report, options.out)
    print(f"\n{markdown(report)}\nWritten to {path}.")
    return 1 if report["failed"] or any(case["failed"] for case in report["cases"]) else 0


if __name__ == "__main__":
    sys.exit(main())
