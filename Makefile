# `make check` is what .ci/run does first: lint, types, tests, notebooks.
PYTHON ?= python

.PHONY: install check lint types test notebooks docs format bench bench-slow
.NOTPARALLEL:

install:
	$(PYTHON) -m pip install -c constraints.txt -e ".[dev]"

check: lint types test notebooks

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest -n 2 --dist loadfile

notebooks:
	$(PYTHON) -m pytest --nbmake docs/notebooks

docs:
	$(PYTHON) -m sphinx -b html -W --keep-going docs build/docs

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

# Every figure of docs/benchmarks.md, on a machine that does nothing else; SONGS is a folder of held-out songs in stems,
# TRAIN one or more of songs to train on, MIDI a folder with pop909.zip and groove.zip.
RESULTS := benchmarks/results

bench: bench-complexity bench-attention bench-profile bench-speed bench-busy $(if $(SONGS),bench-quality bench-choices) $(if $(MIDI),bench-transcription) $(if $(MIDI),$(if $(SONGS),bench-drum-kit)) bench-report

bench-slow: bench-speed-long bench-lengths bench-memory bench-catalogue bench-fuzz $(if $(TRAIN),bench-ideas) bench-report

bench-complexity:
	$(PYTHON) benchmarks/complexity.py --json $(RESULTS)/complexity.json

bench-attention:
	$(PYTHON) benchmarks/attention_scaling.py --json $(RESULTS)/attention_scaling.json --png docs/attention-scaling.png

bench-profile:
	$(PYTHON) -m htdemucs_n profile --preset default --against official --precision fp32 \
		--json $(RESULTS)/profile.json --png docs/profile.png

bench-speed:
	$(PYTHON) benchmarks/speed.py --lengths 10 30 60 180 --json $(RESULTS)/speed.json

bench-busy:
	$(PYTHON) benchmarks/busy.py --json $(RESULTS)/busy.json
	$(PYTHON) benchmarks/busy.py --engine openvino --json $(RESULTS)/busy_openvino.json
	$(PYTHON) benchmarks/busy.py --engine torch --json $(RESULTS)/busy_torch.json

bench-quality:
	$(PYTHON) benchmarks/quality.py "$(SONGS)" --bss --engines --json $(RESULTS)/quality.json

bench-choices:
	$(PYTHON) benchmarks/choices.py "$(SONGS)" --json $(RESULTS)/choices.json

bench-transcription:
	$(PYTHON) benchmarks/transcription.py "$(MIDI)/pop909.zip" "$(MIDI)/groove.zip" --json $(RESULTS)/transcription.json

bench-drum-kit:
	$(PYTHON) benchmarks/drum_kit.py "$(MIDI)/groove.zip" --songs "$(SONGS)" --json $(RESULTS)/drum_kit.json

bench-speed-long:
	$(PYTHON) benchmarks/speed.py --lengths 600 --models onnx openvino torch default --json $(RESULTS)/speed_long.json

bench-lengths:
	$(PYTHON) -m htdemucs_n profile --lengths 30,60,180,600,1800,3600 \
		--json $(RESULTS)/lengths.json --png docs/lengths.png

bench-memory:
	$(PYTHON) benchmarks/memory.py --tiny --threads 1 --minutes 5 600 --stems drums,vocals --json $(RESULTS)/memory.json

bench-catalogue:
	$(PYTHON) benchmarks/catalogue.py --json $(RESULTS)/catalogue.json

bench-ideas:
	$(PYTHON) benchmarks/ideas.py --train $(TRAIN) --valid "$(SONGS)" --minutes 5 --json $(RESULTS)/ideas.json

bench-fuzz:
	$(PYTHON) benchmarks/fuzz.py --seed 6 --json $(RESULTS)/fuzz.json

bench-report:
	$(PYTHON) benchmarks/report.py
