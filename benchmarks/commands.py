"""Run a separation command in a process of its own: seconds, peak memory, and GPU memory where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SAMPLE_RATE = 44_100
PROGRAMS = {"htdemucs-n": "htdemucs_n.cli.main", "demucs": "demucs.separate"}


@dataclass(frozen=True)
class Measured:
    """Cost of one run: seconds from the start of the process to its end, MiB of memory and of GPU memory."""

    seconds: float
    peak_rss_mib: float | None
    gpu_mib: float | None


def run_command(
    program: str, arguments: Sequence[str], threads: int, variables: Mapping[str, str] | None = None
) -> Measured:
    """Run `program`, a name of `PROGRAMS`, with its arguments. If it fails, this script prints its output and exits.

    `variables` are added to the environment.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, __file__, str(report), PROGRAMS[program], *arguments]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1", **(variables or {})}
        log = Path(folder) / "log"
        with log.open("wb") as file:
            start = time.perf_counter()
            done = subprocess.run(command, env=environment, stdout=file, stderr=subprocess.STDOUT, check=False)
            seconds = time.perf_counter() - start
        if done.returncode:
            sys.exit(f"{program} {' '.join(arguments)} failed:\n{log.read_text(encoding='utf-8', errors='replace')}")
        facts = json.loads(report.read_text(encoding="utf-8"))
        return Measured(seconds, facts["peak_rss_mib"], facts["gpu_mib"])


def noise_file(path: Path, seconds: float) -> Path:
    """Write stereo noise as 16-bit WAV. The time of a separation does not depend on the samples."""
    from htdemucs_n.audio.formats import Encoding
    from htdemucs_n.audio.write import AudioWriter

    rng = np.random.default_rng(0)
    with AudioWriter(path, SAMPLE_RATE, 2, Encoding("wav", "int16", 0)) as writer:
        left = round(seconds * SAMPLE_RATE)
        while left > 0:
            writer.write(0.1 * rng.standard_normal((2, min(left, SAMPLE_RATE)), dtype=np.float32))
            left -= SAMPLE_RATE
    return path


def _run_here(report: Path, module: str, arguments: list[str]) -> None:
    """Run the program's `main` in this process, then write its cost."""
    import importlib

    sys.argv = [module, *arguments]
    try:
        importlib.import_module(module).main()
    except SystemExit as ended:
        if ended.code:
            raise
    from htdemucs_n.memory import peak_rss_mib

    torch = sys.modules.get("torch")  # engines of other runtimes do not load it
    gpu = torch.cuda.max_memory_reserved() / 2**20 if torch and torch.cuda.is_initialized() else None
    report.write_text(json.dumps({"peak_rss_mib": peak_rss_mib(), "gpu_mib": gpu}), encoding="utf-8")


if __name__ == "__main__":
    _run_here(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
