// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the default path of io-pgtable-arm costs: counted, not timed. Built into
 * the kernel with and without the series and run under QEMU's -icount, where a
 * nanosecond of guest time is one instruction.
 */
#include <kunit/test.h>

#include <linux/dma-mapping.h>
#include <linux/io-pgtable.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>

static const struct iommu_flush_ops cost_tlb_ops;

/* Calls at each step of a GiB, with so many pages, over what the case before left */
struct cost_case {
	const char	*name;
	size_t		pgsize;
	size_t		count;
	size_t		step;
	bool		unmap;
};

static const struct cost_case cost_calls[] = {
	{ "map_page",		SZ_4K,	1,	SZ_4K,	false },
	{ "unmap_page",		SZ_4K,	1,	SZ_4K,	true },
	{ "map_pages",		SZ_4K,	512,	SZ_2M,	false },
	{ "unmap_pages",	SZ_4K,	512,	SZ_2M,	true },
	{ "map_few",		SZ_4K,	5,	SZ_64K,	false },
	{ "unmap_few",		SZ_4K,	5,	SZ_64K,	true },
	{ "unmap_tables",	SZ_2M,	1,	SZ_2M,	true },
	{ "map_sparse",		SZ_4K,	1,	SZ_2M,	false },
	{ "unmap_sparse",	SZ_4K,	1,	SZ_2M,	true },
	{ "map_over_tables",	SZ_2M,	512,	SZ_1G,	false },
	{ "split",		SZ_4K,	1,	SZ_2M,	true },
	{ "unmap_split",	SZ_2M,	512,	SZ_1G,	true },
	{ "map_block",		SZ_2M,	1,	SZ_2M,	false },
	{ "unmap_block",	SZ_2M,	1,	SZ_2M,	true },
	{ "map_large",		SZ_1G,	1,	SZ_1G,	false },
	{ "unmap_large",	SZ_1G,	1,	SZ_1G,	true },
};

static struct io_pgtable_ops *cost_alloc(struct kunit *test, bool coherent)
{
	struct io_pgtable_cfg cfg = {
		.pgsize_bitmap	= SZ_4K | SZ_2M | SZ_1G,
		.ias		= 48,
		.oas		= 48,
		.coherent_walk	= coherent,
		.tlb		= &cost_tlb_ops,
		.iommu_dev	= test->priv,
	};
	struct io_pgtable_ops *ops;

	ops = alloc_io_pgtable_ops(ARM_64_LPAE_S1, &cfg, NULL);
	KUNIT_ASSERT_NOT_NULL(test, ops);
	return ops;
}

static void cost_call(struct io_pgtable_ops *ops, const struct cost_case *c)
{
	unsigned long iova;
	size_t mapped;

	for (iova = 0; iova < SZ_1G; iova += c->step)
		if (c->unmap)
			ops->unmap_pages(ops, iova, c->pgsize, c->count, NULL);
		else
			ops->map_pages(ops, iova, SZ_2G + iova, c->pgsize, c->count,
				       IOMMU_READ, GFP_ATOMIC, &mapped);
}

static void cost_of(struct kunit *test, struct io_pgtable_ops *ops,
		    const struct cost_case *c, const char *walker)
{
	unsigned long flags;
	ktime_t start, end;

	local_irq_save(flags);
	start = ktime_get();
	cost_call(ops, c);
	end = ktime_get();
	local_irq_restore(flags);
	kunit_info(test, "%s%s_default_path %u default %lld", c->name, walker, SZ_1G,
		   ktime_to_ns(ktime_sub(end, start)));
}

static void cost(struct kunit *test)
{
	struct platform_device *pdev;
	struct io_pgtable_ops *ops;
	int i, j;

	pdev = platform_device_register_simple("io-pgtable-cost", -1, NULL, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(pdev));
	KUNIT_ASSERT_EQ(test, dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(48)), 0);
	test->priv = &pdev->dev;

	/* For each walker, the second round finds the page allocator warm */
	for (i = 0; i < 4; i++) {
		ops = cost_alloc(test, i < 2);
		for (j = 0; j < ARRAY_SIZE(cost_calls); j++)
			cost_of(test, ops, &cost_calls[j], i < 2 ? "" : "_noncoherent");
		free_io_pgtable_ops(ops);
	}
	platform_device_unregister(pdev);
}

static struct kunit_case cost_cases[] = {
	KUNIT_CASE(cost),
	{}
};

static struct kunit_suite cost_suite = {
	.name		= "io_pgtable_cost",
	.test_cases	= cost_cases,
};

kunit_test_suite(cost_suite);
