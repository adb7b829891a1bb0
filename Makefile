# InkTag. `make help` lists the targets. V=1 shows the logs of the builds live.

PARTS := hyp guest-kernel qemu inktag libc programs realprograms attack
export V

help:
	@echo 'make check-host    what this machine can do, and what it lacks (tools/check-host: an exit status for each lack)'
	@echo 'make demo          builds all, then shows bzip2 protected from its kernel'
	@echo 'make test          builds all, then runs the unit tests and the tests in the lab'
	@echo 'make test-long     builds all, then runs the tests that take hours'
	@echo 'make unit          the unit tests alone'
	@echo 'make lab           boots the VM to a shell (more: tools/lab --help)'
	@echo 'make all           builds all parts:'
	@echo '                   $(PARTS)'
	@echo 'make clean         removes build/ (the cache of finished builds stays)'
	@echo
	@echo 'V=1                shows the logs of the builds live'
	@echo 'BACKEND=host       runs on this machine'\''s own KVM, with our modules (needs AMD SVM)'

check-host:
	@tools/check-host

# Before anything starts: says only what is missing.
check:
	@tools/check-host --brief

all: $(PARTS)

programs realprograms: libc
attack: guest-kernel

# Each script keeps its own cache, keyed by content, so make has nothing to compare.
$(PARTS):
	@tools/build/$@.sh

unit:
	@tests/unit/run

test: check all
	@tests/run

test-long: check all
	@tests/integration/run --long

demo: check all
	@tools/demo

lab: check all
	@tools/lab

clean:
	rm -rf build

.PHONY: help check check-host all unit test test-long demo lab clean $(PARTS)
.NOTPARALLEL:
