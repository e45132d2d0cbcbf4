# SPDX-License-Identifier: GPL-2.0-only
# The one entry to this project; "make help" lists the commands.
# KDIR=/path/to/linux takes any 6.1.y tree as the base instead of Debian's package.

export K KDIR

demo: ## patch, build and boot an arm64 kernel; show a device's DMA through tables from a pool (default)
	@scripts/with-tree scripts/demo.py

quick: ## KUnit on UML, in seconds once it was built; T=suite or T=suite.case for that part of it
	@scripts/with-tree scripts/quick.py '$(T)'

test: ## tests of the harness, and KUnit on UML, on arm64 with an SMMUv3, under sanitizers and with 64K pages
	@scripts/with-tree scripts/test.py

matrix: ## KUnit on arm64 under sanitizers, with 16K and with 64K pages, on 32-bit arm and on x86_64
	@scripts/with-tree scripts/test.py matrix

check: ## each patch applies and builds alone; checkpatch, sparse, coccicheck, kernel-doc, get_maintainer; linters of the scripts
	@scripts/with-tree scripts/check

bench: ## what page tables cost with each allocator, and the default path with and without the series
	@scripts/with-tree scripts/bench.py

mutants: ## break the series in many small ways and see that the tests notice (takes long)
	@scripts/with-tree scripts/mutants.py

soak: ## random steps against a model, under KASAN, with new seeds for MINUTES=5; then processes in a guest short of memory
	@scripts/with-tree scripts/soak.py $(or $(MINUTES),5)

docs: ## the chapter of the kernel's documentation, as HTML; a warning about it fails
	@scripts/with-tree scripts/docs

tree: ## get the kernel and apply the series as commits: .work/tree
	@scripts/tree

carry: ## take the commits of each tree that are not exported yet to the trees of the other kernels, and autosquash
	@scripts/carry $(and $(FORGET),--forget)

export: ## write the commits of .work/tree back to patches/
	@scripts/export

clean: ## remove the kernel tree and all builds (with KDIR=, those of that tree), unless the tree holds work that is not exported
	@scripts/clean

help: ## this list
	@sed -n 's/^\([a-z]*\): ## /make \1: /p' Makefile

.PHONY: demo quick test matrix check bench mutants soak docs tree carry export clean help
