# keyflow in two commands: `make demo` renders out/demo.mp4, `make test` runs every test. `make help` lists the rest.
# LIBTORCH=<prefix with share/cmake/Torch> or CMAKE_PREFIX_PATH names a libtorch; else the CPU wheel goes into .venv.

TORCH := 2.13.0
BUILD := build
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

# The one list of Debian packages; CI and a stranger's machine install what is missing of it.
PACKAGES := g++ cmake ninja-build ccache pkg-config python3 python3-venv \
  libsentencepiece-dev libavformat-dev libavcodec-dev libavutil-dev libswscale-dev \
  libpng-dev libjpeg-dev libwebp-dev zlib1g-dev libutf8proc-dev \
  nlohmann-json3-dev libcli11-dev libsqlite3-dev libspdlog-dev libgtest-dev libbenchmark-dev
PACKAGES_FORMAT := clang-format
PACKAGES_TIDY := clang-tidy clang

DEMO := interpolate examples/first.png examples/last.png -m mini -p "$$(cat examples/prompt.txt)" --seed 42

STAMPS := .venv/stamps
TORCH_STAMP := $(STAMPS)/torch-$(TORCH)
REFERENCE_STAMP := $(STAMPS)/reference

# A libtorch that the user names wins over the wheel.
GIVEN := $(LIBTORCH)
ifeq ($(GIVEN),)
  GIVEN := $(firstword $(foreach prefix,$(subst :, ,$(subst ;, ,$(CMAKE_PREFIX_PATH))),$(if $(wildcard \
    $(prefix)/share/cmake/Torch $(prefix)/Torch $(prefix)/lib/cmake/Torch $(prefix)/TorchConfig.cmake),$(prefix))))
endif
NEEDS_TORCH := $(if $(GIVEN),,$(TORCH_STAMP))
CONFIGURE := cmake -G Ninja -S . -DLIBTORCH=$(GIVEN)
SOURCES := $(shell find CMakeLists.txt cmake src models schedulers weights apps configs -name .git -prune -o \
  \( -name '*.cpp' -o -name '*.h' -o -name '*.txt' -o -name '*.cmake' -o -name '*.in' \) -print 2>/dev/null)

.PHONY: FORCE help setup demo program test asan bench format format-check tidy install clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^## //p' Makefile

## make demo            set up, build, render out/demo.mp4 with the small model
demo: $(BUILD)/keyflow
	@mkdir -p out
	$(BUILD)/keyflow $(DEMO) -o out/demo.mp4

## make program         set up, build build/keyflow
program: $(BUILD)/keyflow

## make setup           packages and libtorch only
setup: $(STAMPS)/packages $(NEEDS_TORCH)

## make test            the reference packages too, build everything, run every test
test: $(BUILD)/build.ninja $(REFERENCE_STAMP) $(STAMPS)/packages-format
	cmake --build $(BUILD) -j $(JOBS)
	OMP_NUM_THREADS=1 ctest --test-dir $(BUILD) -j $(JOBS) --output-on-failure $(CTEST)

## make asan            the unit tests under the address and undefined-behaviour sanitizers
asan: setup $(STAMPS)/libtorch
	$(CONFIGURE) -B build-asan -DKEYFLOW_ASAN=ON
	cmake --build build-asan -j $(JOBS) --target unit_tests
	OMP_NUM_THREADS=1 ctest --test-dir build-asan -j $(JOBS) --output-on-failure -L '^unit$$' $(CTEST)

## make bench           time each module (docs/benchmarks.md)
bench: $(BUILD)/keyflow
	$(BUILD)/keyflow bench

## make format          clang-format every file; make format-check only looks
format: $(STAMPS)/packages-format
	git ls-files '*.cpp' '*.h' | xargs clang-format -i

format-check: $(STAMPS)/packages-format
	git ls-files '*.cpp' '*.h' | xargs clang-format --dry-run -Werror

## make tidy            clang-tidy every file, or TIDY="a.cpp b.cpp"
tidy: setup $(STAMPS)/libtorch $(STAMPS)/packages-tidy
	$(CONFIGURE) -B build-tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DCCACHE=
	tests/style/tidy.sh build-tidy $(TIDY)

## make install         program, library, headers, CMake package and data under PREFIX (/usr/local)
install: $(BUILD)/build.ninja
	cmake --build $(BUILD) -j $(JOBS) --target keyflow keyflow_whole
	cmake --install $(BUILD) --prefix $(PREFIX)

## make clean           the build folders and out/; .venv stays
clean:
	rm -rf $(BUILD) build-asan build-tidy out

$(BUILD)/keyflow: $(BUILD)/build.ninja $(SOURCES)
	cmake --build $(BUILD) -j $(JOBS) --target keyflow
	@touch $@

$(BUILD)/build.ninja: $(STAMPS)/packages $(STAMPS)/libtorch $(NEEDS_TORCH)
	$(CONFIGURE) -B $(BUILD) -DCMAKE_BUILD_TYPE=Release
	@touch $@

# Another libtorch than last time: what CMake remembers of the old one goes.
$(STAMPS)/libtorch: FORCE
	@mkdir -p $(STAMPS)
	@echo '$(GIVEN)' | cmp -s - $@ || { echo '$(GIVEN)' > $@; rm -f build*/CMakeCache.txt; }
FORCE:

$(STAMPS)/packages: Makefile
	@cmake/packages.sh $(PACKAGES)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages-format: Makefile
	@cmake/packages.sh $(PACKAGES_FORMAT)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages-tidy: Makefile
	@cmake/packages.sh $(PACKAGES_TIDY)
	@mkdir -p $(STAMPS) && touch $@

$(TORCH_STAMP): | $(STAMPS)/packages
	test -x .venv/bin/python || python3 -m venv .venv
	.venv/bin/pip install --quiet $(PIP_ARGS) torch==$(TORCH)
	@mkdir -p $(STAMPS) && touch $@

$(REFERENCE_STAMP): tests/reference-packages.txt $(TORCH_STAMP)
	.venv/bin/pip install --quiet $(PIP_ARGS) -r $<
	@touch $@
