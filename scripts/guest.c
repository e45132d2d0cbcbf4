// SPDX-License-Identifier: GPL-2.0-only
/*
 * The init of a kernel for tests, without a libc. With guest=SECONDS on the kernel's command line it runs processes that
 * use the pool of page tables through its test device (drivers/iommu/io-pgtable-pool-testdev.c), and prints what it saw as
 * KUnit does. Then, or without that, it lets kmemleak look for what the tests left, shows it, and shuts down.
 */
#include "guest.h"

/*
 * Memory cgroups
 */

/* What a VM does, and how many pages its cgroup is charged for afterwards */
struct deed {
	enum what what;
	int job;
	unsigned long iova, nr, flag;
	long pages;
};

static const struct deed *deeds;

static void do_deeds(long count)
{
	int vm = open_vm();
	long i;

	meet(1);
	for (i = 0; i < count; i++) {
		EXPECT(do_op(vm, deeds[i].what, deeds[i].job, deeds[i].iova, deeds[i].nr, deeds[i].flag), ==, 0);
		meet(2 + i);
	}
	close(vm);
	meet(2 + i);
}

static void expect_deeds(const struct deed *list, long count)
{
	long before, i, pid;

	deeds = list;
	pid = start(do_deeds, count, make_group("a", "max"));
	await(1);
	before = charged("a");
	for (i = 0; i <= count; i++) {
		all->go = 1 + i;
		await(2 + i);
		expect_charged("a", before + (i < count ? list[i].pages : 0));
	}
	all->go = 2 + i;
	finish(pid);
	remove_group("a");
	expect_groups_gone();
}

/* 4K pages: the root maps 512 GiB per entry, so a first page needs 3 more tables. */
static void memory_is_charged_and_uncharged(void)
{
	static const struct deed list[] = {
		{ CREATE, 0, 0, 0, 1, 1 },
		{ RESERVE, 0, 0, 1000, 0, 1001 },
		{ MAP, 0, FAR, 512, 0, 1001 },
		{ UNRESERVE, 0, 0, 0, 0, 4 },
		{ UNMAP, 0, FAR, 512, 1, 4 },
		{ TLB_GONE, 0, 0, 0, 0, 3 },
		{ RESERVE, 1, 0, 500, 0, 503 },
	};

	expect_deeds(list, 7);
}

static void roots_and_unreserved_tables_are_charged(void)
{
	static const struct deed list[] = {
		{ CREATE, 0, 0, 0, 1, 1 },
		{ MAP, JOBS, FAR, 512 * 100, 0, 103 },
	};

	expect_deeds(list, 2);
}

static void vm_without_account_charges_nobody(void)
{
	static const struct deed list[] = {
		{ CREATE, 0, 0, 0, 0, 0 },
		{ RESERVE, 0, 0, 1000, 0, 0 },
		{ MAP, JOBS, FAR, 512 * 100, 0, 0 },
	};

	expect_deeds(list, 3);
}

static void one_life(long tables)
{
	int vm = create_vm(0, 1);

	EXPECT(reserve(vm, 0, tables), ==, 0);
	EXPECT(do_op(vm, MAP, 0, FAR, 1, 0), ==, 0);
	EXPECT(do_op(vm, UNRESERVE, 0, 0, 0, 0), ==, 0);
	EXPECT(do_op(vm, MAP, JOBS, 2 * FAR, 1, 0), ==, 0);
	close(vm);
}

static void live(long lives)
{
	one_life(50);
	meet(1);
	while (lives--)
		one_life(50);
	meet(2);
}

static void charges_do_not_grow(void)
{
	long before, pid = start(live, 1000, make_group("a", "max"));

	await(1);
	before = charged("a");
	all->go = 1;
	SOON(all->step == 2);
	await(2);
	expect_charged("a", before);
	all->go = 2;
	finish(pid);
	remove_group("a");
	expect_groups_gone();
}

/* 16 MiB are 4096 tables */
static void meet_limit(long unused)
{
	int vm = create_vm(0, 1);

	EXPECT(reserve(vm, 0, 8000), ==, -ENOMEM);
	EXPECT(reserve(vm, 0, 1500), ==, 0);
	EXPECT(reserve(vm, 1, 1500), ==, 0);
	EXPECT(reserve(vm, 2, 1500), ==, -ENOMEM);
	meet(1);
	EXPECT(do_op(vm, UNRESERVE, 0, 0, 0, 0), ==, 0);
	EXPECT(reserve(vm, 2, 1500), ==, 0);
	close(vm);
}

static void reserve_much(long unused)
{
	int vm = create_vm(0, 1);

	EXPECT(reserve(vm, 0, 8000), ==, 0);
	close(vm);
}

static void limit_refuses_and_kills_nobody(void)
{
	long pid = start(meet_limit, 0, make_group("a", "16M"));

	await(1);
	finish(start(reserve_much, 0, make_group("b", "max")));
	all->go = 1;
	finish(pid);
	EXPECT(number(CGROUP "a/memory.events", "max"), >, 0);
	EXPECT(number(CGROUP "a/memory.events", "oom"), ==, 0);
	EXPECT(number(CGROUP "a/memory.events", "oom_kill"), ==, 0);
	EXPECT(number(CGROUP "b/memory.events", "max"), ==, 0);
	remove_group("a");
	remove_group("b");
	expect_groups_gone();
}

static void create_and_reserve(long vm)
{
	EXPECT(do_op(vm, CREATE, 0, 0, 0, 1), ==, 0);
	EXPECT(reserve(vm, 0, 1000), ==, 0);
}

/* Its process is gone, and no CPU holds a part of its limit ready: the VM alone refers to it */
static void removed_cgroup_pays_until_the_vm_closes(void)
{
	int vm = open_vm();

	finish(start(create_and_reserve, vm, make_group("a", "max")));
	remove_group("a");
	finish(start(reserve_much, 0, make_group("b", "max")));
	remove_group("b");
	msleep(500);

	EXPECT(number(CGROUP "memory.current", ""), >=, 1001 * PAGE);
	EXPECT(do_op(vm, MAP, 0, FAR, 1, 0), ==, 0);
	EXPECT(reserve(vm, 1, 1000), ==, 0);
	EXPECT(number(CGROUP "memory.current", ""), >=, 2001 * PAGE);
	close(vm);
	expect_groups_gone();
}

static void reserve_inherited(long vm)
{
	meet(2);
	EXPECT(reserve(vm, 0, 1000), ==, 0);
	meet(3);
}

static void create_for_child(long unused)
{
	int vm = create_vm(0, 1);

	meet(1);
	finish(start(reserve_inherited, vm, CGROUP "b/cgroup.procs"));
	meet(4);
	close(vm);
}

static void creator_pays_for_a_fork(void)
{
	long a, b, pid;

	make_group("b", "max");
	pid = start(create_for_child, 0, make_group("a", "max"));
	await(1);
	all->go = 1;
	await(2);
	a = charged("a");
	b = charged("b");
	all->go = 2;
	await(3);
	expect_charged("a", a + 1000);
	expect_charged("b", b);
	all->go = 4;
	finish(pid);
	remove_group("a");
	remove_group("b");
	expect_groups_gone();
}

/*
 * Tracepoints
 */


static const char *find(const char *line, const char *what)
{
	while (*line && strncmp(line, what, strlen(what)))
		line++;
	return *line ? line : NULL;
}

/* Adds up nr= in the lines of an event that say @what too; -1 without any */
static long traced(const char *event, const char *what)
{
	char *line = get("/tracing/trace"), *end;
	long sum = -1;

	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		if (find(line, event) && find(line, " io-pgtable-pool-testdev ") && find(line, what))
			sum = (sum < 0 ? 0 : sum) + atol(find(line, " nr=") + 4);
	}
	return sum;
}

/* The VM of the first reservation, "vm=..." */
static void traced_vm(char *vm, size_t size)
{
	const char *found = find(get("/tracing/trace"), "vm=");

	strlcpy(vm, found ? found : "none ", size);
	*strchr(vm, ' ') = 0;
}

/* A WARN goes with it */
static void exhausted_reservation_is_traced(void)
{
	int vm = create_vm(0, 0);
	char name[64];

	EXPECT(put("/tracing/events/io_pgtable_pool/enable", "1"), ==, 0);
	EXPECT(reserve(vm, 0, 2), ==, 0);
	EXPECT(do_op(vm, MAP, 0, FAR, 1, 0), ==, -ENOMEM);
	EXPECT(put("/tracing/events/io_pgtable_pool/enable", "0"), ==, 0);
	close(vm);

	traced_vm(name, sizeof(name));
	EXPECT(traced(" io_pgtable_pool_exhausted: ", name), ==, 2);
}

static void events_say_what_was_done(void)
{
	int vm = create_vm(2000, 0);
	char name[64];

	EXPECT(put("/tracing/trace", ""), ==, 0);
	EXPECT(put("/tracing/events/io_pgtable_pool/enable", "1"), ==, 0);
	EXPECT(reserve(vm, 0, 100), ==, 0);
	EXPECT(reserve(vm, 1, 2001), ==, -EDQUOT);
	EXPECT(do_op(vm, MAP, 0, FAR, 512, 0), ==, 0);
	EXPECT(do_op(vm, UNMAP, 0, FAR, 512, 1), ==, 0);
	EXPECT(do_op(vm, UNRESERVE, 0, 0, 0, 0), ==, 0);
	EXPECT(put("/proc/sys/vm/drop_caches", "2"), ==, 0);
	EXPECT(put("/tracing/events/io_pgtable_pool/enable", "0"), ==, 0);
	EXPECT(do_op(vm, TLB_GONE, 0, 0, 0, 0), ==, 0);
	close(vm);

	traced_vm(name, sizeof(name));
	EXPECT(strlen(name), >, 10);
	EXPECT(traced(" io_pgtable_pool_reserve: ", " ret=0"), ==, 100);
	EXPECT(traced(" io_pgtable_pool_reserve: ", " ret=-122"), ==, 2001);
	EXPECT(traced(" io_pgtable_pool_fill: ", " nr="), ==, 100);
	EXPECT(traced(" io_pgtable_pool_stale: ", name), ==, 1);
	EXPECT(traced(" io_pgtable_pool_unreserve: ", name), ==, 97);
	EXPECT(traced(" io_pgtable_pool_shrink: ", " nr="), ==, 97);
}

/*
 * Memory pressure. Without swap, what a neighbour touches can only come from free tables.
 */
#define HELD		500UL	/* tables of a job that waits */
#define FREE		8000UL	/* tables that are free before the neighbour comes */
#define LEAST		1500UL	/* so few are its goal, as other jobs give some back meanwhile */

static unsigned long random_below(unsigned long limit)
{
	static unsigned long state;

	state = (state ? state : (unsigned long)getpid()) * 6364136223846793005UL + 1442695040888963407UL;
	return (state >> 33) % limit;
}

/* A job from its VM's open to its close; tables may be refused, to map may not fail */
static void one_job(long who, unsigned long tables)
{
	int vm = open_vm();
	long ret = do_op(vm, CREATE, 0, 0, 0, 0);

	if (!ret)
		ret = reserve(vm, 0, tables);
	if (!ret) {
		EXPECT(do_op(vm, MAP, 0, FAR, 512 * (tables / 4), 0), ==, 0);
		EXPECT(do_op(vm, UNMAP, 0, FAR, 512 * (tables / 4), random_below(2)), ==, 0);
		all->done[who]++;
	} else {
		EXPECT(ret, ==, -ENOMEM);
		all->refused[who]++;
	}
	close(vm);
}

static void work(long who)
{
	for (; !all->stop; msleep(2))
		one_job(who, 8 + random_below(LEAST / 4));
}

static int short_of_memory(void)
{
	struct figures now = pool();

	return now.free - now.reserved < LEAST && number("/proc/meminfo", "MemFree") < 8192;
}

/* Again and again: all memory there is, then none */
static void touch_memory(long unused)
{
	unsigned long size = number("/proc/meminfo", "MemTotal") / 1024 * MIB, at;
	char *memory;
	int step;

	for (step = 1; meet(step), !all->stop; step += 2) {
		memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		for (at = 0; at < size && !short_of_memory(); at += MIB)
			EXPECT(my_syscall3(__NR_madvise, memory + at, MIB, MADV_POPULATE_WRITE), ==, 0);
		meet(step + 1);
		munmap(memory, size);
	}
}

/* While others use what is made, and free it used */
static void fill_pool(int vm)
{
	EXPECT(SOON(!reserve(vm, 1, FREE)), ==, 1);
	EXPECT(do_op(vm, UNRESERVE, 1, 0, 0, 0), ==, 0);
}

/* A round of it; how many free tables the neighbour left */
static long squeeze(int vm, int step)
{
	long done[2] = { all->done[0], all->done[1] };
	struct figures left;

	await(step);
	EXPECT(SOON(!reserve(vm, 0, HELD)), ==, 1);
	fill_pool(vm);
	all->go = step;
	await(step + 1);
	left = pool();
	EXPECT(stats(vm).vm.reserved, ==, HELD);
	EXPECT(do_op(vm, MAP, 0, FAR, 512 * (HELD - 2), 0), ==, 0);
	all->go = step + 1;
	EXPECT(do_op(vm, UNMAP, 0, FAR, 512 * (HELD - 2), 0), ==, 0);
	EXPECT(do_op(vm, UNRESERVE, 0, 0, 0, 0), ==, 0);
	EXPECT(SOON(all->done[0] > done[0] && all->done[1] > done[1]), ==, 1);
	return left.free - left.reserved;
}

static void jobs_run_under_memory_pressure(void)
{
	long pid[3], end = time(NULL) + seconds, left = 0, rounds = 0;
	int vm = create_vm(0, 0), i;

	pid[0] = start(work, 0, NULL);
	pid[1] = start(work, 1, NULL);
	pid[2] = start(touch_memory, 0, NULL);
	while (!failed && (!rounds || time(NULL) < end))
		left += squeeze(vm, 1 + 2 * rounds++);
	all->stop = 1;
	all->go = 1 + 2 * rounds;
	for (i = 0; i < 3; i++)
		finish(pid[i]);
	close(vm);
	EXPECT(left / rounds, <, FREE / 2);
	say("    # %s: %ld times, %ld of %ld free tables left; jobs: %ld done, %ld refused", case_name, rounds, left / rounds, FREE,
	    all->done[0] + all->done[1], all->refused[0] + all->refused[1]);
}

/*
 * The buffers of a pipe of 1 MiB are described in an array that takes 4 pages in a row.
 */
static int resize(int fd, unsigned long size)
{
	return my_syscall3(__NR_fcntl, fd, 1031 /* F_SETPIPE_SZ */, size);
}

static void resize_pipes(long who)
{
	int fds[64][2], i;

	for (i = 0; i < 64; i++)
		EXPECT(my_syscall2(__NR_pipe2, fds[i], 0), ==, 0);
	while (!all->stop) {
		for (i = 0; i < 64; i++)
			EXPECT(resize(fds[i][0], MIB), ==, MIB);
		for (i = 0; i < 64; i++)
			EXPECT(resize(fds[i][0], PAGE), ==, PAGE);
		all->done[who] += 64;
	}
}

/* So many hundredths of the memory that is available, again and again */
static void reserve_percent(long percent)
{
	int vm = create_vm(0, 0);
	long ret, who = percent > 50;

	while (!all->stop) {
		ret = reserve(vm, 0, available() * percent / 100);
		if (ret)
			EXPECT(ret, ==, -ENOMEM);
		*(ret ? &all->refused[who] : &all->done[who]) += 1;
		EXPECT(do_op(vm, UNRESERVE, 0, 0, 0, 0), ==, 0);
	}
	close(vm);
}

static void order_2_neighbour_lives(void)
{
	long pid[4];
	int i;

	pid[0] = start(reserve_percent, 45, NULL);
	pid[1] = start(reserve_percent, 45, NULL);
	pid[2] = start(reserve_percent, 80, NULL);
	pid[3] = start(resize_pipes, 2, NULL);
	sleep(10);
	all->stop = 1;
	for (i = 0; i < 4; i++)
		finish(pid[i]);
	EXPECT(all->done[0], >, 0);
	EXPECT(all->refused[1], >, 0);
	EXPECT(all->done[2], >, 0);
	say("    # %s: large reservations: %ld, %ld refused; hopeless: %ld, %ld refused; pipes: %ld", case_name, all->done[0],
	    all->refused[0], all->done[1], all->refused[1], all->done[2]);
}

/*
 * Failing allocations
 */

static void fail_allocations(const char *how, const char *others)
{
	static const char *const set[][2] = { { "task-filter", "Y" }, { "ignore-gfp-wait", "N" }, { "verbose", "0" },
		{ "interval", "1" }, { "times", "-1" }, { "probability", "5" } };
	char path[64];
	unsigned int i;

	for (i = 0; i < 6; i++) {
		strcpy(path, how);
		strlcat(path, set[i][0], sizeof(path));
		EXPECT(put(path, set[i][1]), ==, 0);
	}
	strcpy(path, how);
	strlcat(path, others, sizeof(path));
	EXPECT(put(path, "0"), ==, 0);
}

/* Does it with allocations that fail; only that */
static long try_op(int fail, int vm, enum what what, unsigned long iova, unsigned long nr, int job)
{
	long ret;

	EXPECT(write(fail, "1", 1), ==, 1);
	ret = do_op(vm, what, job, iova, nr, what == CREATE);
	EXPECT(write(fail, "0", 1), ==, 1);
	all->done[what] += !ret;
	all->refused[what] += ret == -ENOMEM;
	if (ret)
		EXPECT(ret, ==, -ENOMEM);
	return ret;
}

static void fail_now_and_then(long end)
{
	int fail = open("/proc/self/make-it-fail", O_WRONLY, 0), vm, i;

	while (time(NULL) < end) {
		vm = open_vm();
		if (!try_op(fail, vm, CREATE, 0, 0, 0)) {
			for (i = 1; i < 10; i++)
				try_op(fail, vm, MAP, i * FAR, 512 * random_below(20), JOBS);
			if (!try_op(fail, vm, RESERVE, 0, 20 + random_below(500), 0))
				EXPECT(try_op(fail, vm, MAP, i * FAR, 512 * 16, 0), ==, 0);
		}
		close(vm);
		if (!random_below(8))
			EXPECT(put("/proc/sys/vm/drop_caches", "2"), ==, 0);
	}
}

static void failing_allocations_are_refusals(void)
{
	fail_allocations("/debug/fail_page_alloc/", "min-order");
	fail_allocations("/debug/failslab/", "cache-filter");
	finish(start(fail_now_and_then, time(NULL) + 10 + seconds / 2, make_group("a", "max")));
	remove_group("a");
	expect_groups_gone();
	EXPECT(all->refused[CREATE] && all->refused[RESERVE] && all->refused[MAP], ==, 1);
	EXPECT(all->done[CREATE] && all->done[RESERVE] && all->done[MAP], ==, 1);
	say("    # %s: VMs: %ld, %ld refused; reservations: %ld, %ld refused; maps: %ld, %ld refused", case_name, all->done[CREATE],
	    all->refused[CREATE], all->done[RESERVE], all->refused[RESERVE], all->done[MAP], all->refused[MAP]);
}

static void reserve_and_end(long tables)
{
	EXPECT(reserve(create_vm(0, 0), 0, tables), ==, 0);
}

static void killed_process_reserves_nothing(void)
{
	long tables = available() * 45 / 100, pid = start(reserve_and_end, tables, NULL), killed;
	int status = 0;

	EXPECT(SOON(pool().held > 1000), ==, 1);
	kill(pid, SIGKILL);
	killed = time(NULL);
	waitpid(pid, &status, 0);
	EXPECT(status, ==, SIGKILL);
	EXPECT(time(NULL) - killed, <=, 2);
	EXPECT(pool().reserved, ==, 0);
	EXPECT(pool().held, <, tables);
}

/*
 * What it costs to charge a cgroup: for kernels that count instructions
 */

static long now(void)
{
	struct timespec time;

	my_syscall2(__NR_clock_gettime, 1 /* CLOCK_MONOTONIC */, &time);
	return time.tv_sec * 1000000000 + time.tv_nsec;
}

static void reserve_often(long account)
{
	int vm = create_vm(0, account), i;
	long begin = 0;

	for (i = 0; i < 2000; i++) {
		if (i == 1000)
			begin = now();
		reserve(vm, 0, 514);
		do_op(vm, UNRESERVE, 0, 0, 0, 0);
	}
	all->done[account] = (now() - begin) / 1000;
	close(vm);
}

/* In a cgroup one level below the root: each level is charged */
static void charge_costs_so_much(void)
{
	long account;

	for (account = 0; account < 2; account++) {
		finish(start(reserve_often, account, make_group("../a", "max")));
		remove_group("../a");
	}
	say("    # %s: charge_and_uncharge 514 pool %ld", case_name, all->done[1] - all->done[0]);
}

/*
 * The suite
 */

#define CASE(name) { #name, name }

/* All, or with only=CASE that one, which may be one of the last */
static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	CASE(memory_is_charged_and_uncharged),
	CASE(roots_and_unreserved_tables_are_charged),
	CASE(vm_without_account_charges_nobody),
	CASE(charges_do_not_grow),
	CASE(limit_refuses_and_kills_nobody),
	CASE(removed_cgroup_pays_until_the_vm_closes),
	CASE(creator_pays_for_a_fork),
	CASE(events_say_what_was_done),
	CASE(jobs_run_under_memory_pressure),
	CASE(order_2_neighbour_lives),
	CASE(failing_allocations_are_refusals),
	CASE(killed_process_reserves_nothing),
	CASE(exhausted_reservation_is_traced),
	CASE(charge_costs_so_much),
};

#define CASES	(int)(sizeof(cases) / sizeof(*cases) - 2)

/* Nothing is left of a case once the pool gave its free tables to the system, and nobody was killed. */
static void expect_balance(void)
{
	struct figures left;

	put("/proc/sys/vm/drop_caches", "2");
	left = pool();
	EXPECT(left.held, ==, 0);
	EXPECT(left.free + left.reserved + left.used + left.quarantine, ==, 0);
	get("/proc/sys/vm/stat_refresh");
	EXPECT(number("/proc/meminfo", "SecPageTables"), ==, sec_page_tables);
	EXPECT(number("/proc/vmstat", "oom_kill"), ==, oom_kills);
}

static int run_case(int i, int nth)
{
	time_t begin = time(NULL);

	memset(all, 0, sizeof(*all));
	case_name = cases[i].name;
	failed = 0;
	oom_kills = number("/proc/vmstat", "oom_kill");
	use_cpus(3);
	cases[i].run();
	expect_balance();
	say("    # %s: %d s", case_name, (int)(time(NULL) - begin));
	say("    %s %d %s", failed ? "not ok" : "ok", nth, case_name);
	return failed;
}

static int is(const char *one, const char *other)
{
	return strlen(one) == strlen(other) && !strncmp(one, other, strlen(one));
}

static void run_suite(void)
{
	const char *only = getenv("only");
	int i, bad = 0, count = only ? 1 : CASES;

	say("KTAP version 1");
	say("1..1");
	say("    KTAP version 1");
	say("    # Subtest: io_pgtable_pool_guest");
	say("    1..%d", count);
	for (i = 0; i < CASES + 2; i++)
		if (only ? is(only, cases[i].name) : i < CASES)
			bad += run_case(i, only ? 1 : i + 1);
	say("# Totals: pass:%d fail:%d skip:0 total:%d", count - bad, bad, count);
	say("%s 1 io_pgtable_pool_guest", bad ? "not ok" : "ok");
}

static void set_up(void)
{
	int pipe[2];

	my_syscall2(__NR_pipe2, pipe, 0);
	dup2(pipe[1], 0);
	from_pipe = pipe[0];
	dup2(open("/dev/kmsg", O_WRONLY, 0), 1);
	all = mmap(0, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	case_name = "set_up";
	EXPECT(mount("proc", "/proc", "proc", 0, 0), ==, 0);
	EXPECT(mount("tracefs", "/tracing", "tracefs", 0, 0), ==, 0);
	EXPECT(mount("cgroup2", "/cgroup", "cgroup2", 0, 0), ==, 0);
	EXPECT(put("/cgroup/cgroup.subtree_control", "+memory"), ==, 0);
	EXPECT(mkdir(CGROUP, 0755), ==, 0);
	EXPECT(put(CGROUP "cgroup.subtree_control", "+memory"), ==, 0);
	put("/proc/sys/vm/drop_caches", "4");	/* no message each time */
	sec_page_tables = number("/proc/meminfo", "SecPageTables");
}

/*
 * kmemleak
 */
#define KMEMLEAK	"/debug/kmemleak"

static void show_leaks(void)
{
	int fd = open(KMEMLEAK, O_RDONLY, 0);
	ssize_t length;

	while ((length = read(fd, text, sizeof(text))) > 0)
		write(2, text, length);
	close(fd);
}

/* kmemleak passes over what is younger than 5 seconds. */
static int scan(void)
{
	sleep(6);
	return !put(KMEMLEAK, "scan") && !put(KMEMLEAK, "scan");
}

char **environ;

int main(int argc, char **argv, char **envp)
{
	environ = envp;
	if (mount("debugfs", "/debug", "debugfs", 0, 0))
		return 1;
	if (getenv("guest")) {
		seconds = atol(getenv("guest"));
		set_up();
		run_suite();
	}
	if (!getenv("noscan")) {
		if (!scan())
			return 1;
		show_leaks();
		write(2, "leak-scan: done\n", 16);
	}
	reboot(LINUX_REBOOT_CMD_RESTART);
	return 1;
}
