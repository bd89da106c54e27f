"""What the shell completes at the tab key: the values of options. Nothing is imported before a value is asked for."""

from __future__ import annotations


def models(incomplete: str) -> list[str]:
    """Shipped and official models; after `a,` those that may be averaged with it."""
    from htdemucs_n.models.names import OFFICIAL_MODELS, available_models

    before, comma, start = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in (*available_models(), *OFFICIAL_MODELS) if name.startswith(start)]


def engines(incomplete: str) -> list[str]:
    """Engines, installed or not."""
    from htdemucs_n.engines.choose import ENGINES

    return [name for name in ("auto", *ENGINES) if name.startswith(incomplete)]


def formats(incomplete: str) -> list[str]:
    """File formats of stems."""
    from htdemucs_n.audio.formats import FORMATS

    return [name for name in FORMATS if name.startswith(incomplete)]


def stems(incomplete: str) -> list[str]:
    """Stems of the default model; after `a,` more of them."""
    from htdemucs_n.models.names import DEFAULT_MODEL, describe_model

    before, comma, start = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in describe_model(DEFAULT_MODEL).sources if name.startswith(start)]
