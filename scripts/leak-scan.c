// SPDX-License-Identifier: GPL-2.0-only
/* The init of a kernel whose tests have run: let kmemleak look for what they left, show it, shut down. */
#define KMEMLEAK "/debug/kmemleak"

static void show(void)
{
	char text[512];
	int fd = open(KMEMLEAK, O_RDONLY, 0);
	ssize_t length;

	while ((length = read(fd, text, sizeof(text))) > 0)
		write(1, text, length);
	close(fd);
}

/* Whether the scan ran; kmemleak passes over what is younger than 5 seconds. */
static int scan(void)
{
	int fd = open(KMEMLEAK, O_WRONLY, 0);
	int done = write(fd, "scan", 4) == 4;

	close(fd);
	return done;
}

int main(void)
{
	if (mount("debugfs", "/debug", "debugfs", 0, 0))
		return 1;
	sleep(6);
	if (!scan() || !scan())
		return 1;
	show();
	write(1, "leak-scan: done\n", 16);
	reboot(LINUX_REBOOT_CMD_RESTART);
	return 1;
}
