// One line per case, and a sum. Lines go through the kernel log, where one is never mixed with another.
#include "kvm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

// A case that needs longer hangs: a vCPU that isn't woken, an interrupt that doesn't come. The slowest makes forty machines,
// by two emulations, on a host that may have much else to do.
#define CASE_SECONDS 100

enum { OK, FAILED, SKIPPED };

static const char *case_name = "";
static char now_doing[80] = "starting";
static int count[3];

static void line(const char *verdict, const char *name, const char *format, va_list arguments)
{
	char text[400];
	int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	int used = snprintf(text, sizeof(text), "KVM %s %s: ", verdict, name);

	used += vsnprintf(text + used, sizeof(text) - used - 1, format, arguments);
	if (used > (int)sizeof(text) - 2)
		used = sizeof(text) - 2;
	text[used++] = '\n';
	if (write(log < 0 ? 1 : log, text, used) < 0)
		_exit(FAILED);
	close(log);
}

static void say(const char *verdict, const char *name, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line(verdict, name, format, arguments);
	va_end(arguments);
}

#define FINISH(verdict, status) \
	do { \
		va_list arguments; \
		va_start(arguments, format); \
		line(verdict, case_name, format, arguments); \
		_exit(status); \
	} while (0)

void pass(const char *format, ...)
{
	FINISH("ok", OK);
}

void skip(const char *format, ...)
{
	FINISH("skip", SKIPPED);
}

void fail(const char *format, ...)
{
	FINISH("FAIL", FAILED);
}

void doing(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(now_doing, sizeof(now_doing), format, arguments);
	va_end(arguments);
}

static void too_long(int unused)
{
	(void)unused;
	fail("hangs: %s", now_doing);
}

void case_run(const char *name, void (*body)(void))
{
	int status = 0;
	pid_t child = fork();

	case_name = name;
	if (child == 0) {
		signal(SIGALRM, too_long);
		alarm(CASE_SECONDS);
		body();
		fail("the case ended without a verdict");
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status)) {
		say("FAIL", name, "died");
		status = FAILED << 8;
	}
	count[WEXITSTATUS(status) % 3]++;
}

int total(void)
{
	say(count[FAILED] ? "FAIL" : "ok", "total", "%d ok, %d failed, %d skipped", count[OK], count[FAILED],
	    count[SKIPPED]);
	return count[FAILED] != 0;
}
