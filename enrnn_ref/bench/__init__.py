"""How fast: this package beside the same networks elsewhere and beside the matrix products alone, in one run."""

from enrnn_ref.bench.measure import measured as measured
from enrnn_ref.bench.sizes import SIZES as SIZES
from enrnn_ref.bench.sizes import Size as Size
from enrnn_ref.bench.timing import Timing as Timing
from enrnn_ref.bench.timing import interleaved as interleaved
from enrnn_ref.bench.timing import machine as machine
from enrnn_ref.bench.timing import ratio as ratio
