"""Multitrack songs for training, from symbolic music and sampled instruments. Needs `pip install 'htdemucs-n[make]'`.

MIDI sets --> score, groove --> arrangement --> instruments --> effects --> levels --> stems
             pop909, groove     styles, parts   soundfonts,     effects,    mixing     song, folder
                                MMA's backing   synth, drums,   amplifier
                                                singing
"""
