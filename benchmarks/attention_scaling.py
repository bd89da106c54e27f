"""Time and memory of attention over 1,000 to 64,000 tokens: linear, softmax, and softmax with its N x N matrix.

    python benchmarks/attention_scaling.py [--tokens 1000 ... 64000] [--device cpu] [--json FILE] [--png FILE]

The layer has the width of the preset `default` and random weights in float32. Each number of tokens is measured in a
process of its own. Where the matrix needs over half of the memory, it is left out, and the table has its size.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from htdemucs_n.profiling.attention import DIM, DIM_HEAD, HEADS, TOKENS, measure_attention
from htdemucs_n.profiling.passes import Settings
from htdemucs_n.profiling.picture import save_picture
from htdemucs_n.profiling.records import write_record
from htdemucs_n.profiling.tables import attention_table
from htdemucs_n.provenance import describe_machine


def main() -> None:
    """Measure and print the table; write and draw it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, nargs="+", default=TOKENS)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    parser.add_argument("--precision", default="fp32", help="fp32, bf16, fp16, auto (fp32)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (every core)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of what takes under a second, for the median (5)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--png", type=Path, metavar="FILE")
    options = parser.parse_args()

    settings = Settings(options.device, options.precision, threads=options.threads)
    rows = measure_attention(settings, options.tokens, options.repeats, lambda: print(".", end="", file=sys.stderr))
    Console().print(attention_table(rows))
    if options.json:
        layer = {"device": options.device, "precision": options.precision}
        layer |= {"dim": DIM, "heads": HEADS, "dim_head": DIM_HEAD}
        write_record(options.json, describe_machine(options.threads, options.device) | layer, attention=rows)
    if options.png:
        save_picture(options.png, attention=rows)


if __name__ == "__main__":
    main()
