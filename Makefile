# SPDX-License-Identifier: GPL-2.0-only
# The one entry to this project; "make help" lists the commands.
# K=6.1, 6.12 or 7.3 is the kernel; KDIR=/path/to/linux takes any tree of these versions as the base instead of Debian's package.

export K KDIR

demo: ## patch, build and boot an arm64 kernel; show a device's DMA through tables from a pool (default)
	@scripts/with-tree scripts/demo.py

quick: ## KUnit on UML, in seconds once it was built; T=suite or T=suite.case for that part of it
	@scripts/with-tree scripts/quick.py '$(T)'

test: ## tests of the harness; KUnit on the default kernel in full, on the others on UML and arm64; with SHORT=1 on the default one on UML and arm64, on the others on arm64; with K= that kernel alone
	@scripts/all $(if $(SHORT),short,test)

matrix: ## KUnit under KCSAN, with 16K and with 64K pages, on 32-bit arm and on x86_64; for K= or for all kernels
	@scripts/all matrix

check: ## for K=, with SHORT=1 only what needs no build: each patch applies and builds alone; checkpatch, sparse, coccicheck, kernel-doc, get_maintainer; linters of the scripts
	@scripts/with-tree scripts/check $(and $(SHORT),--short)

bench: ## what page tables cost with each allocator, and the default path with and without the series
	@scripts/with-tree scripts/bench.py

mutants: ## break the series in many small ways and see that the tests notice (takes long)
	@scripts/with-tree scripts/mutants.py

soak: ## random steps against a model, under KASAN, with new seeds for MINUTES=5; then processes in a guest short of memory
	@scripts/with-tree scripts/soak.py $(or $(MINUTES),5)

docs: ## the chapter of the kernel's documentation, as HTML; a warning about it fails
	@scripts/with-tree scripts/docs

tree: ## get the kernels and apply the series as commits: .work/6.12/tree and the like; K= for one alone
	@scripts/tree

carry: ## take the commits of each tree that are not exported yet to the trees of the other kernels, and autosquash
	@scripts/carry $(and $(FORGET),--forget)

export: ## write the commits of these trees back to patches/
	@scripts/export

clean: ## remove the kernel trees and all builds (with K= or KDIR=, those of that tree), unless a tree holds work that is not exported
	@scripts/clean

help: ## this list
	@sed -n 's/^\([a-z]*\): ## /make \1: /p' Makefile
	@scripts/kernels

.PHONY: demo quick test matrix check bench mutants soak docs tree carry export clean help
