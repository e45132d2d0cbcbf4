// SPDX-License-Identifier: GPL-2.0-only
/* Preloaded into all that a run starts: counts the changes to files, and kills the run before the KILL_AT-th. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void change(const char *path)
{
	int fd, number;

	if (!getenv("KILL_AT") || !strncmp(path, "/dev/", 5))
		return;
	fd = syscall(SYS_openat, AT_FDCWD, getenv("KILL_COUNT"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	syscall(SYS_write, fd, "", 1);
	number = lseek(fd, 0, SEEK_CUR);
	syscall(SYS_close, fd);
	if (number == atoi(getenv("KILL_AT"))) {
		kill(-atoi(getenv("KILL_GROUP")), SIGKILL);
		raise(SIGKILL);
	}
}

#define CHANGE(name, path, parameters, ...)						\
int name parameters									\
{											\
	int (*real) parameters = (int (*) parameters)dlsym(RTLD_NEXT, #name);		\
	change(path);									\
	return real(__VA_ARGS__);							\
}

CHANGE(rename, to, (const char *from, const char *to), from, to)
CHANGE(renameat, to, (int fd, const char *from, int tofd, const char *to), fd, from, tofd, to)
CHANGE(renameat2, to, (int fd, const char *from, int tofd, const char *to, unsigned int flags), fd, from, tofd, to, flags)
CHANGE(link, to, (const char *from, const char *to), from, to)
CHANGE(mkdir, path, (const char *path, mode_t mode), path, mode)
CHANGE(rmdir, path, (const char *path), path)
CHANGE(unlink, path, (const char *path), path)
CHANGE(unlinkat, path, (int fd, const char *path, int flags), fd, path, flags)

#define OPEN(name, parameters, ...)							\
int name parameters									\
{											\
	int (*real) parameters = (int (*) parameters)dlsym(RTLD_NEXT, #name);		\
	va_list more;									\
	int mode;									\
											\
	va_start(more, flags);								\
	mode = va_arg(more, int);							\
	va_end(more);									\
	if (flags & O_CREAT)								\
		change(path);								\
	return real(__VA_ARGS__, mode);							\
}

OPEN(open, (const char *path, int flags, ...), path, flags)
OPEN(open64, (const char *path, int flags, ...), path, flags)
OPEN(openat, (int fd, const char *path, int flags, ...), fd, path, flags)
OPEN(openat64, (int fd, const char *path, int flags, ...), fd, path, flags)
