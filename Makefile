# The same as the scripts, for those who type make.
PRESET ?= release
SECONDS_EACH ?= 60

.PHONY: all setup build demo test bench fuzz format lint clean
all: build
setup:
	@scripts/setup all
build:
	@scripts/build $(PRESET)
demo:
	@scripts/demo
test:
	@scripts/test $(PHASES)
bench:
	@scripts/bench
fuzz:
	@scripts/fuzz $(SECONDS_EACH)
format:
	@scripts/format
lint:
	@scripts/lint
clean:
	@rm -rf build
