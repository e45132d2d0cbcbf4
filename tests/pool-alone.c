// SPDX-License-Identifier: GPL-2.0-only
/* A driver's two functions between the bare hooks of Linux 6.8 and later and the table pool; scripts/check builds it. */
#include <linux/io-pgtable-pool.h>

struct alone_vm {
	struct io_pgtable_pool_vm pool_vm;
};

void alone_init(struct io_pgtable_cfg *cfg);

static void *alone_alloc(void *cookie, size_t size, gfp_t gfp)
{
	struct alone_vm *vm = cookie;

	return io_pgtable_pool_alloc(&vm->pool_vm, size, gfp);
}

static void alone_free(void *cookie, void *pages, size_t size)
{
	struct alone_vm *vm = cookie;

	io_pgtable_pool_free(&vm->pool_vm, pages, size);
}

void alone_init(struct io_pgtable_cfg *cfg)
{
	cfg->alloc = alone_alloc;
	cfg->free = alone_free;
}
