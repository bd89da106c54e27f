"""HTDemucs_n and its parts, one idea per file.

stft                   complex STFT and its inverse on the grid's clock
multi_resolution_stft  four STFTs in parallel, split to bands and fused (idea 1)
bands                  the common grid: band split and band merge
resunet_plus           residual U-Net with channel attention and gated skips (idea 2)
linear_attention       O(N) transformer (idea 3)
fusion                 learned frequency-time fusion (idea 4)
time_branch            strided encoder and decoder of the waveform
spectral_head          features to the spectra of the stems
htdemucs_n             the whole model
ensemble               several models as one
config, presets        its sizes and switches
folding                batch norm into convolutions, for inference
registry, storage      weights by name, weights on disk
"""
