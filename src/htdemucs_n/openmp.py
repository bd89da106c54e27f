"""Settings of OpenMP, the library that runs a CPU model on several threads: how threads wait, and how many there are.

Threads that wait for each other spin by default: they use a core while they do nothing. On an idle machine that costs
nothing, but beside another busy process the spinning threads keep the working ones from the cores.

PyTorch's kernels share out their work before OpenMP starts the threads. When it then starts fewer, as some settings
let it, part of the work is not done and the result is wrong, without an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping

from htdemucs_n.errors import DeviceError

_SPIN_COUNT = "1000"
"""Turns of the waiting loop of GNU's OpenMP before a thread sleeps: some tens of microseconds, where its default,
300,000, is some milliseconds."""


def configure_openmp(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the environment for OpenMP, which reads it once, when it is loaded: call this before torch is imported.

    Threads that wait soon sleep, unless the user has chosen how they wait. `OMP_DYNAMIC` is turned off, and the
    number of threads is lowered to what the other variables allow. Only the command calls this: importing the library
    changes nothing.
    """
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)
    if _is_dynamic(environment):
        environment["OMP_DYNAMIC"] = "false"
    if (limit := _thread_limit(environment)) is not None:
        _, threads = limit
        wanted = _number(environment.get("OMP_NUM_THREADS", ""))
        environment["OMP_NUM_THREADS"] = str(threads if wanted is None else min(threads, wanted))


def check_openmp(threads: int, environment: Mapping[str, str] = os.environ) -> None:
    """Check that OpenMP starts the `threads` threads that torch will ask for.

    Raises:
        UserError: a variable of the environment allows it to start fewer; the message names the variable.
    """
    if threads == 1:
        return
    if _is_dynamic(environment):
        raise DeviceError(f"PyTorch computes wrong results with OMP_DYNAMIC={environment['OMP_DYNAMIC']}: {_remedy(1)}")
    if (limit := _thread_limit(environment)) is not None and limit[1] < threads:
        name, allowed = limit
        value = environment[name]
        raise DeviceError(
            f"PyTorch computes wrong results on {threads} threads with {name}={value}: {_remedy(allowed)}"
        )


def _remedy(threads: int) -> str:
    return f"unset it, or use at most {threads} of them (--threads {threads}; torch.set_num_threads({threads}))"


def _is_dynamic(environment: Mapping[str, str]) -> bool:
    """Whether OpenMP may start fewer threads than it is asked for."""
    return environment.get("OMP_DYNAMIC", "").strip().lower() in ("true", "1", "yes", "on")


def _thread_limit(environment: Mapping[str, str]) -> tuple[str, int] | None:
    """The variable that limits the number of threads, and the limit; None where no variable does."""
    if _number(environment.get("OMP_MAX_ACTIVE_LEVELS", "")) == 0:
        return "OMP_MAX_ACTIVE_LEVELS", 1
    limit = _number(environment.get("OMP_THREAD_LIMIT", ""))
    return None if limit is None else ("OMP_THREAD_LIMIT", max(1, limit))


def _number(text: str) -> int | None:
    """The number of a variable such as `OMP_NUM_THREADS`; the first of a list; None where there is none."""
    first = text.split(",")[0].strip()
    return int(first) if first.isdecimal() else None
