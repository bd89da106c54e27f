"""HTDemucs_n: separates a song into drums, bass, other and vocals.

>>> from htdemucs_n import Separator
>>> stems = Separator().separate_file("song.mp3")
>>> sorted(stems)
['bass', 'drums', 'other', 'vocals']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from htdemucs_n.models.registry import load_model as load_model  # not in `__all__`: it needs PyTorch
    from htdemucs_n.separation import Separator

__version__ = "0.5.0"
__all__ = ["Separator", "__version__"]


def __getattr__(name: str) -> Any:
    """Import a name only when it is asked for (PEP 562): the one needs NumPy, the other PyTorch."""
    if name == "Separator":
        from htdemucs_n.separation import Separator

        return Separator
    if name == "load_model":
        from htdemucs_n.errors import UserError, require_packages

        try:
            require_packages("load_model", "torch", "torch")
        except UserError as error:
            raise ImportError(str(error)) from None
        from htdemucs_n.models.registry import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
