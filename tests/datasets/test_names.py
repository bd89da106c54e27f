"""The stem of a file by its name: as a musician would sort it, and unknown where the name is ambiguous."""

from __future__ import annotations

import pytest

from htdemucs_n.datasets.names import alias_table, stem_of
from htdemucs_n.errors import UserError
from training_helpers import SOURCES

NAMES = {
    "drums": """
        drums; Drum; 03_snare top; kick.in; bass drum; BassDrum; Sub Kick; Kick Sub; Overheads L; Ride Cymbal; HH; OH;
        SN; BD; Kit; Drum Room; Drum Bus; Drums Reverb; Drums (bleed); hi-hat; Floor Toms; full acoustic drumkit;
        Kick Out; a-tonal percussion (claps, shakers, congas, cowbell etc); Drum Machine;
        Synth Drums; Schlagzeug; batterie; OHL; ohr 2; Snr Top; Tamb; Kickdrum; Snaredrum; Rimshot
    """,
    "bass": """
        bass; bass guitar; synth bass; bass synth; String Bass; Double Bass; upright bass; 808 Bass; Sub; Bass_DI;
        E-Bass; Bass Guitar Amp; Keys Bass; Bass Keys; basse; Lead Bass; Contrabass; Bass Gtr; bass_gt; Contrabajo
    """,
    "other": """
        other; lead guitar; Electric Piano; strings-left; Synth Lead; synth_lead_2; Lead Synth; Guitar Lead; Lead Gtr;
        Steel Drum; steel pans; bass clarinet; Bass Trombone; Low Brass; Organ; Sax; Tenor Sax; Chorus Gtr; Mouth Harp;
        clean electric guitar; synth pad; Pad; grand piano; Choir Pad; Backing Strings; FX;
        Bass Recorder; Vox Continental; bass balalaika; Guitarra;
        Bass Viola; Bass Marimba; Bass Ukuleles; Bass Tuba; Steelpan; EGtr 2; Wurli
    """,
    "vocals": """
        vocals; Vocals-1; vocals_2; VOCALS (3); lead vocals; backing vox 2; BV; BVs; backing vox; Vocal Reverb;
        Lead Vox Dly; FX Vox; 1_song_(Vocals); adlib; Ad Libs; Guide vocal; lead female singer; Bass Voice; choir;
        ボーカル; voz; Gesang
    """,
    "mixture": "mixture; Mix; Master; Mixdown; full mix; song_mix",
    None: """
        no_vocals; no drums; accompaniment; instrumental; kazoo; 12; ; Lead; Backing; Harmony; Male; Female; Soprano;
        Tenor; Alto; hook; backing track; Backing Track (no click); off vocal; Song (off vocal ver.); Vocals Off;
        vocal-less; vocalless; Vocal Removed; vocals muted; Drumless; Minus Drums; wo vocals; w/o vocals; without bass;
        mixture (no vocals); mix minus one; song_(No Drums); vocals_(Instrumental); Instrumental; inst;
        drums and bass; Drum & Bass; Bass+Drums; guitar and vocals; Vocal Synth; Piano Bass; rap beat; Rap Instrumental;
        everything but vocals; vocals deleted; Vocals excluded; Vocals cut; Vocals Killed; Vocals (silenced);
        vocal-free; -vocals; Mix (-drums); song [- vocals]; w-o vocals; Kein Gesang; zonder drums; bez vocals;
        Vocals Stripped; vocals suppressed; ex vocals; TV Mix;
        Vocal Remover; w_o vocals; sin voz; Guitarra y voz; Gitarre und Gesang; Voz e violao;
        beat; Upright; 808; Vocoder; Talkbox; Talk; Voice Memo; Room Mic; full; noise; none; Click; Count in
    """,
}
CASES = [(name.strip(), stem) for stem, names in NAMES.items() for name in " ".join(names.split()).split(";")]


@pytest.mark.parametrize(("name", "stem"), CASES)
def test_names_of_stems(name: str, stem: str | None) -> None:
    assert stem_of(name, alias_table(SOURCES)) == stem


def test_the_sources_of_another_model_come_first() -> None:
    six = alias_table([*SOURCES, "guitar", "piano"])
    assert [stem_of(name, six) for name in ("guitar-2", "Lead Gtr", "organ")] == ["guitar", "guitar", "other"]
    two = alias_table(["vocals", "accompaniment"])
    assert stem_of("accompaniment", two) == "accompaniment"
    assert stem_of("song (Accompaniment)", two) == "accompaniment"
    assert stem_of("kick", two) is None, "there are no drums"


def test_aliases_of_the_config() -> None:
    table = alias_table(SOURCES, {"Kazoo 1": "other", "lead": "other", "choir": None})
    names = ("kazoo-7", "lead", "lead vocals", "choir", "vox")
    assert [stem_of(name, table) for name in names] == ["other", "other", "vocals", None, "vocals"]
    with pytest.raises(UserError, match=r"'dset.aliases.kazoo' is 'vocal': did you mean 'vocals'"):
        alias_table(SOURCES, {"kazoo": "vocal"})
