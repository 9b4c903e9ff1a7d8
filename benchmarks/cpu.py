"""Time all sizes in both dtypes, ours beside every peer and the matrix products alone.

    python benchmarks/cpu.py [options of enrnn-ref bench]

Writes benchmarks/results/cpu.json, .md and .png; ``--out DIR --against benchmarks/results/cpu.json`` compares instead.
"""

from __future__ import annotations

import sys
from pathlib import Path

from enrnn_ref.backends.cpu import available_threads
from enrnn_ref.bench.ratios import BARS_THREADS
from enrnn_ref.cli import main

if __name__ == "__main__":
    given = sys.argv[1:]
    folder = [] if "--out" in given else ["--out", str(Path(__file__).parent / "results")]
    # What the bars are for, on any machine; where there is one core, the report says so.
    threads = [] if "--threads" in given else ["--threads", str(min(BARS_THREADS, available_threads()))]
    sys.argv = [sys.argv[0], "bench", "all", *folder, *threads, *given]
    main()
