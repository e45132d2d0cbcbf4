// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the default path of io-pgtable-arm costs: counted, not timed. Built into
 * the kernel with and without the series and run under QEMU's -icount, where a
 * nanosecond of guest time is one instruction.
 */
#include <kunit/test.h>

#include <linux/io-pgtable.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>

static const struct iommu_flush_ops cost_tlb_ops;

static struct io_pgtable_ops *cost_alloc(struct kunit *test)
{
	struct io_pgtable_cfg cfg = {
		.pgsize_bitmap	= SZ_4K | SZ_2M | SZ_1G,
		.ias		= 48,
		.oas		= 48,
		.coherent_walk	= true,
		.tlb		= &cost_tlb_ops,
		.iommu_dev	= test->priv,
	};
	struct io_pgtable_ops *ops;

	ops = alloc_io_pgtable_ops(ARM_64_LPAE_S1, &cfg, NULL);
	KUNIT_ASSERT_NOT_NULL(test, ops);
	return ops;
}

static void cost_map(struct io_pgtable_ops *ops, unsigned long step)
{
	unsigned long iova;
	size_t mapped;

	for (iova = 0; iova < SZ_1G; iova += step)
		ops->map_pages(ops, iova, SZ_2G + iova, SZ_4K, 1, IOMMU_READ, GFP_ATOMIC, &mapped);
}

static void cost_unmap(struct io_pgtable_ops *ops, unsigned long step)
{
	unsigned long iova;

	for (iova = 0; iova < SZ_1G; iova += step)
		ops->unmap_pages(ops, iova, SZ_4K, 1, NULL);
}

static void cost_unmap_tables(struct io_pgtable_ops *ops, unsigned long step)
{
	unsigned long iova;

	for (iova = 0; iova < SZ_1G; iova += SZ_2M)
		ops->unmap_pages(ops, iova, SZ_2M, 1, NULL);
}

static void cost_of(struct kunit *test, const char *name,
		    void (*fn)(struct io_pgtable_ops *ops, unsigned long step),
		    struct io_pgtable_ops *ops, unsigned long step)
{
	unsigned long flags;
	ktime_t start, end;

	local_irq_save(flags);
	start = ktime_get();
	fn(ops, step);
	end = ktime_get();
	local_irq_restore(flags);
	kunit_info(test, "%s %u default %lld", name, SZ_1G, ktime_to_ns(ktime_sub(end, start)));
}

static void cost(struct kunit *test)
{
	struct platform_device *pdev;
	struct io_pgtable_ops *ops;
	int i;

	pdev = platform_device_register_simple("io-pgtable-cost", -1, NULL, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(pdev));
	test->priv = &pdev->dev;

	/* The second round finds the page allocator warm */
	for (i = 0; i < 2; i++) {
		ops = cost_alloc(test);
		cost_of(test, "map_default_path", cost_map, ops, SZ_4K);
		cost_of(test, "unmap_default_path", cost_unmap, ops, SZ_4K);
		cost_of(test, "free_default_path", cost_unmap_tables, ops, 0);
		cost_of(test, "map_sparse_default_path", cost_map, ops, SZ_2M);
		cost_of(test, "unmap_sparse_default_path", cost_unmap, ops, SZ_2M);
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
