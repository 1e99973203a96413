# The commands of the README. Everything is built by Meson and Ninja below build/; packages that are missing are installed
# first, and it is said which (tools/install-packages).
BUILD ?= build
PREFIX ?= /usr
DESTDIR ?=
RELEASE = $(BUILD)/release

.PHONY: all try try-shell test install fuzz crash bench format clean packages test-packages

all: $(RELEASE)/build.ninja
	ninja -C $(RELEASE)

packages:
	@tools/install-packages build

test-packages:
	@tools/install-packages build test

$(RELEASE)/build.ninja: | packages
	meson setup $(RELEASE) -Dbuildtype=release -Dprefix=$(PREFIX)

# A whole private mail system below ./try, walked through with real commands, then stopped.
try: all
	tools/try --build $(RELEASE) --dir try

try-shell: all
	tools/try --build $(RELEASE) --dir try --shell

# Every test; the last line is "N passed, N failed".
test: test-packages
	@tools/run-tests --build $(BUILD)

# Then, as root: postrider setup
install: all
	DESTDIR=$(DESTDIR) meson install -C $(RELEASE) --no-rebuild

# A minute for each parser of bytes from outside.
fuzz: test-packages
	tools/run-tests --build $(BUILD) --only fuzz --fuzz-seconds 60

# Every place that changes files × every fault × three phases: build/crash-table.md, docs/CRASH-TABLE.md. Goes on with a run
# of the same programs that was interrupted.
crash: all test-packages
	@test -e $(BUILD)/asan/build.ninja || meson setup $(BUILD)/asan -Dbuildtype=debug -Doptimization=1 \
	  -Db_sanitize=address,undefined
	ninja -C $(BUILD)/asan tests/crash/crash_spool
	tests/crash/matrix.py --build $(BUILD) --write --resume

bench: all
	@tools/install-packages bench
	bench/run --build $(RELEASE)

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD) try
