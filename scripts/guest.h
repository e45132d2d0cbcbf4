/* SPDX-License-Identifier: GPL-2.0-only */
/* What the cases of guest.c share: output, files, the test device, processes, memory cgroups. */
#ifndef my_syscall2	/* nolibc's names before 7.3 */
#define my_syscall2	__nolibc_syscall2
#define my_syscall3	__nolibc_syscall3
#endif

#define MIB		(1UL << 20)
#define PAGE		4096UL
#define FAR		(1UL << 30)	/* what is so far apart shares the root only, nearly */
#define JOBS		4		/* a map as this job is outside of windows */
#define SLACK		2		/* pages: memory cgroups charge objects by the byte, and round */
#define CGROUP		"/cgroup/guest/"

enum what { CREATE, RESERVE, UNRESERVE, MAP, UNMAP, TLB_GONE };

struct op {
	unsigned int what, job;
	unsigned long iova, nr, flag;
};

struct figures {
	unsigned long held, free, reserved, used, quarantine;
};

struct stats {
	struct figures vm, pool;
};

/* What all processes share */
static struct {
	volatile int step, go;		/* meet() */
	volatile int stop;
	volatile long done[4], refused[4];
} *all;

static const char *case_name;
static int failed, from_pipe;
static long seconds, oom_kills, sec_page_tables;

/*
 * Output: lines for the kernel's log, which keeps each in one piece
 */

/* stdin is a pipe to ourselves, in which printf's pieces become a line */
static void say(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vfprintf(stdin, format, args);
	va_end(args);
	write(1, line, read(from_pipe, line, sizeof(line)));
}

static void wrong(int line, const char *what, long got, long wanted)
{
	failed = 1;
	say("    # %s: line %d: expected %s, but %ld, %ld", case_name, line, what, got, wanted);
}

#define EXPECT(got, is, wanted) do {							\
	long got_ = (got), wanted_ = (wanted);						\
	if (!(got_ is wanted_))								\
		wrong(__LINE__, #got " " #is " " #wanted, got_, wanted_);		\
} while (0)

/* Whether it became so soon enough, for QEMU on a busy machine */
#define SOON(condition) ({								\
	time_t end_ = time(NULL) + 150;							\
	int true_;									\
	while (!(true_ = !!(condition)) && time(NULL) < end_)				\
		msleep(10);								\
	true_;										\
})

/*
 * Files
 */

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC, 0);
	ssize_t done = write(fd, text, strlen(text));

	close(fd);
	return done == (ssize_t)strlen(text) ? 0 : -1;
}

static char text[1 << 16];

static char *get(const char *path)
{
	int fd = open(path, O_RDONLY, 0);
	size_t length = 0;
	ssize_t got;

	while ((got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += got;
	text[length] = 0;
	close(fd);
	return text;
}

/* The number after a word at the start of a line, or -1 */
static long number(const char *path, const char *word)
{
	size_t length = strlen(word);
	char *line;

	for (line = get(path); line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, word, length) || (length && line[length] != ' ' && line[length] != ':'))
			continue;
		for (line += length; *line == ' ' || *line == ':'; line++)
			;
		return atol(line);
	}
	return -1;
}

static long available(void)
{
	return number("/proc/meminfo", "MemAvailable") / 4;
}

/*
 * The test device
 */

static long do_op(int vm, enum what what, int job, unsigned long iova, unsigned long nr, unsigned long flag)
{
	struct op op = { what, job, iova, nr, flag };
	long ret = my_syscall3(__NR_write, vm, &op, sizeof(op));

	return ret == sizeof(op) ? 0 : ret;
}

static int open_vm(void)
{
	return open("/debug/io_pgtable_pool_testdev", O_RDWR, 0);
}

static int create_vm(unsigned long limit, int account)
{
	int vm = open_vm();

	EXPECT(do_op(vm, CREATE, 0, 0, limit, account), ==, 0);
	return vm;
}

static long reserve(int vm, int job, unsigned long nr)
{
	return do_op(vm, RESERVE, job, 0, nr, 0);
}

static struct stats stats(int vm)
{
	struct stats stats = {};

	EXPECT(read(vm, &stats, sizeof(stats)), ==, sizeof(stats));
	return stats;
}

static struct figures pool(void)
{
	int fd = open_vm();
	struct figures figures = stats(fd).pool;

	close(fd);
	return figures;
}

/*
 * Processes
 */

static long start(void (*run)(long), long argument, const char *group)
{
	long pid = fork();

	if (pid)
		return pid;
	failed = 0;
	if (group)
		EXPECT(put(group, "0"), ==, 0);
	run(argument);
	exit(failed);
}

static void finish(long pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	EXPECT(status, ==, 0);
}

/* A process that has done a step waits until it may go on */
static void meet(int step)
{
	all->step = step;
	SOON(all->go >= step);
}

static void await(int step)
{
	EXPECT(SOON(all->step >= step), ==, 1);
}

/*
 * Memory cgroups
 */

static char *in_group(const char *group, const char *file)
{
	static char path[128];

	strcpy(path, CGROUP);
	strlcat(path, group, sizeof(path));
	strlcat(path, file, sizeof(path));
	return path;
}

static void use_cpus(unsigned long mask)
{
	EXPECT(my_syscall3(__NR_sched_setaffinity, 0, sizeof(mask), &mask), ==, 0);
}

/* Where to move to it; on one CPU, since others take their time to give back what they hold ready. */
static const char *make_group(const char *group, const char *max)
{
	static char procs[2][128];
	char *path = procs[*group == 'b'];

	use_cpus(1);
	EXPECT(mkdir(in_group(group, ""), 0755), ==, 0);
	EXPECT(put(in_group(group, "/memory.max"), max), ==, 0);
	return strcpy(path, in_group(group, "/cgroup.procs"));
}

static void remove_group(const char *group)
{
	const char *path = in_group(group, "");

	EXPECT(SOON(!my_syscall3(__NR_unlinkat, AT_FDCWD, path, 0x200 /* AT_REMOVEDIR */)), ==, 1);
}

/* In pages, without what this CPU holds ready: a limit takes that away */
static long charged(const char *group)
{
	put(in_group(group, "/memory.high"), "0");
	put(in_group(group, "/memory.high"), "max");
	return number(in_group(group, "/memory.current"), "") / (long)PAGE;
}

/* Nothing is charged for cgroups that are gone. 3: also of pages on their way to an LRU list */
static void expect_groups_gone(void)
{
	EXPECT(SOON(!put("/proc/sys/vm/drop_caches", "3") && charged("") == 0), ==, 1);
	EXPECT(charged(""), ==, 0);
	EXPECT(SOON(number("/cgroup/cgroup.stat", "nr_dying_descendants") == 0), ==, 1);
}

static int nearly(const char *group, long pages)
{
	long now = charged(group);

	return now >= pages - SLACK && now <= pages + SLACK;
}

static void expect_charged(const char *group, long pages)
{
	if (!SOON(nearly(group, pages)))
		EXPECT(charged(group), ==, pages);
}
