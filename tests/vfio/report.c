// One line per case, and a sum. Lines go through the kernel log, where one is never mixed with another.
#include "proof.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

// A session that needs longer hangs.
#define SESSION_SECONDS 200

struct counts {
	int ok, failed, skipped;
};

static struct counts *counts;
static void (*cleanup)(void);
static char case_name[64];
static jmp_buf case_end;
static bool case_passed;

static void line(const char *verdict, const char *name, const char *format, va_list arguments)
{
	static int log = -2;
	char text[800];
	int used = snprintf(text, sizeof(text), "VFIO %s %s: ", verdict, name);

	used += vsnprintf(text + used, sizeof(text) - used - 1, format, arguments);
	if (used > (int)sizeof(text) - 2)
		used = sizeof(text) - 2;
	text[used++] = '\n';
	if (log == -2)
		log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (write(log < 0 ? 1 : log, text, used) < 0)
		_exit(3);
}

static struct counts *counted(void)
{
	if (!counts)
		counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return counts;
}

#define FINISH(verdict, counter, met) \
	do { \
		va_list arguments; \
		va_start(arguments, format); \
		line(verdict, case_name, format, arguments); \
		va_end(arguments); \
		counted()->counter++; \
		case_passed = met; \
		longjmp(case_end, 1); \
	} while (0)

void pass(const char *format, ...)
{
	FINISH("ok", ok, true);
}

void skip(const char *format, ...)
{
	FINISH("skip", skipped, true);
}

void fail(const char *format, ...)
{
	FINISH("FAIL", failed, false);
}

void after_each_case(void (*what)(void))
{
	cleanup = what;
}

static void run_body(void (*body)(const void *), const void *argument)
{
	if (setjmp(case_end) == 0) {
		body(argument);
		fail("the case ended without a verdict");
	}
}

bool run_case(void (*body)(const void *), const void *argument, const char *name, ...)
{
	va_list arguments;

	va_start(arguments, name);
	vsnprintf(case_name, sizeof(case_name), name, arguments);
	va_end(arguments);
	run_body(body, argument);
	if (cleanup)
		cleanup();
	return case_passed;
}

static void died(const void *status)
{
	int how = *(const int *)status;

	if (WIFSIGNALED(how))
		fail("signal %d (%s) ended the session before its last case", WTERMSIG(how),
		     WTERMSIG(how) == SIGALRM ? "too slow" : "a crash");
	fail("the session ended before its last case, status %d", WEXITSTATUS(how));
}

static void run_session(const char *name, void (*body)(void), bool killed)
{
	int status = 0;
	pid_t child;

	counted();
	child = fork();
	if (child == 0) {
		alarm(SESSION_SECONDS);
		body();
		if (killed)
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		status = 1 << 8;
	if (killed ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL : status != 0)
		run_case(died, &status, "session-%s", name);
}

void session(const char *name, void (*body)(void))
{
	run_session(name, body, false);
}

void session_to_be_killed(const char *name, void (*body)(void))
{
	run_session(name, body, true);
}

static void sum(const char *verdict, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line(verdict, "total", format, arguments);
	va_end(arguments);
}

int total(void)
{
	struct counts *all = counted();

	sum(all->failed ? "FAIL" : "ok", "%d ok, %d failed, %d skipped", all->ok, all->failed, all->skipped);
	return all->failed;
}

const char *error_name(int error)
{
	return error ? strerrorname_np(error) : "success";
}
