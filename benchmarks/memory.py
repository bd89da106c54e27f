"""Peak memory of the whole command on a short and on a long file, which must be the same.

    python benchmarks/memory.py [--minutes 5 600] [--tiny] [--json FILE]

Each run is a process of its own that separates a WAV file of noise and writes the stems. `--tiny` takes a model with
few channels and random weights, which is many times faster. The memory of a model does not depend on the length of the
song, so this measures the part of the command that could.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from commands import noise_file, run_command
from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import describe_machine

_TINY = (
    "import torch; from pathlib import Path; from htdemucs_n.models.htdemucs_n import HTDemucs_n\n"
    "from htdemucs_n.models.storage import save_model\n"
    "model = HTDemucs_n(n_ffts=[4096], multi_stft_channels=8, band_zones=[[16, 128]], resunet_base_channels=8,"
    " resunet_depth=2, resunet_se_reduction=4, channels=8, growth=1, time_encoder_blocks=0, time_decoder_blocks=0,"
    " transformer_dim=32, linear_attn_layers=1, linear_attn_heads=2, linear_attn_dim_head=16)\n"
)


def main() -> None:
    """Measure all lengths, print them, and fail if the last one needs over 5 % more memory than the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5, 600], help="lengths (5 600)")
    parser.add_argument("--tiny", action="store_true", help="a tiny model with random weights")
    parser.add_argument(
        "--stems", help="write only these stems, such as drums,vocals: all four of ten hours take 60 GB of disk"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (every core)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()

    conditions = describe_machine(options.threads, options.device) | {
        "tiny": options.tiny,
        "stems": options.stems,
        "device": options.device,
    }
    results = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        model: list[str] = []
        if options.tiny:
            path = work / "tiny.safetensors"
            subprocess.run([sys.executable, "-c", f"{_TINY}save_model(Path({str(path)!r}), model, {{}})"], check=True)
            model = ["-n", str(path)]
        for minutes in options.minutes:
            song = noise_file(work / "song.wav", 60 * minutes)
            arguments = ["separate", str(song), "-o", str(work / "stems"), "--force", "-d", options.device, *model]
            arguments += ["--stems", options.stems] if options.stems else []
            taken = run_command("htdemucs-n", arguments, options.threads)
            results.append({"minutes": minutes, "seconds": taken.seconds, "peak_rss_mib": taken.peak_rss_mib,
                            "gpu_mib": taken.gpu_mib})  # fmt: skip
            gpu = "" if taken.gpu_mib is None else f", GPU {taken.gpu_mib:.1f} MiB"
            print(
                f"{minutes:g} min: {taken.seconds:.0f} s, peak RSS {taken.peak_rss_mib or 0:.1f} MiB{gpu}", flush=True
            )
    if options.json:
        write_record(options.json, conditions, results=results)
    for measure in ("peak_rss_mib", "gpu_mib"):
        values = [result[measure] for result in results if result[measure]]
        if len(values) > 1 and values[-1] > 1.05 * values[0]:
            sys.exit(f"{measure} grows with the length: {values}")


if __name__ == "__main__":
    main()
