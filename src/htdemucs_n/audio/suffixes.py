"""Suffixes of audio and video files that folders are searched for; a file that is named by itself is always tried."""

from __future__ import annotations

_NAMES = """
.aac .ac3 .aif .aifc .aiff .alac .amr .ape .au .avi .caf .dts .eac3 .flac .flv .m2ts .m4a .m4b .m4v
.mka .mkv .mov .mp2 .mp3 .mp4 .mpc .mpeg .mpg .mts .oga .ogg .ogv .opus .ra .rf64 .spx .tak .tta
.vob .w64 .wav .wave .weba .webm .wma .wmv .wv
"""

SUFFIXES = frozenset(_NAMES.split())
"""In lower case, with the dot."""
