"""`htdemucs-n song.mp3` without a verb separates the song."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.core import TyperGroup

DEFAULT_VERB = "separate"


class GroupWithDefaultVerb(TyperGroup):
    """The verbs of a command. A song, or an option of `DEFAULT_VERB`, in place of a verb means that verb."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `DEFAULT_VERB` before arguments that begin with neither a verb nor an option of the group."""
        if args and self._needs_verb(ctx, args[0]):
            args = [DEFAULT_VERB, *args]
        return super().parse_args(ctx, args)

    def _needs_verb(self, ctx: Any, word: str) -> bool:
        if word.startswith("-") and word != "-":
            own = {name for option in self.get_params(ctx) for name in option.opts}
            return word.partition("=")[0] not in own
        return word not in self.commands and _looks_like_song(word)


def _looks_like_song(word: str) -> bool:
    """Whether a word is a path or standard input: anything else that is no verb is a misspelt one."""
    try:
        return word == "-" or "/" in word or "\\" in word or bool(Path(word).suffix) or Path(word).exists()
    except (OSError, ValueError):  # the file system cannot have such a name
        return False
