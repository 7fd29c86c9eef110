/* SPDX-License-Identifier: MIT */
/*
 * Looks at the scheduler libraries, and chooses among them, by the files of /proc/exo.
 * docs/scheduler.md, "Choosing and swapping".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "program.h"

#define FILES "/proc/exo/"

static void print_usage(FILE *to)
{
	fputs("usage: schedctl list                         the libraries; [the one in force]\n"
	      "       schedctl current                      the one in force\n"
	      "       schedctl use NAME | FILE              put one in force; loads a file first\n"
	      "                                             (FILE has a / in it, or ends in .so)\n"
	      "       schedctl load FILE                    load one made by exo-sched\n"
	      "       schedctl unload NAME                  forget one that was loaded\n"
	      "       schedctl loaded                       name, address, pages and file of each\n"
	      "       schedctl param [NAME]                 numbers of all libraries, or of one:\n"
	      "                                             value, least, greatest\n"
	      "       schedctl param NAME KEY VALUE         set one\n"
	      "       schedctl stats                        what the system counts\n"
	      "       schedctl dump                         every CPU's queue\n",
	      to);
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "schedctl: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The whole text of a file; the caller frees it. */
static char *read_text(const char *path)
{
	size_t size = 0, room = 4096;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (!text || fd < 0)
		die(path);
	while ((n = read(fd, text + size, room - size - 1)) > 0) {
		size += (size_t)n;
		if (room - size < 2) {
			room *= 2;
			text = realloc(text, room);
			if (!text)
				die(path);
		}
	}
	if (n < 0)
		die(path);
	close(fd);
	text[size] = '\0';
	return text;
}

static void show(const char *path)
{
	char *text = read_text(path);

	fputs(text, stdout);
	free(text);
}

/* What the file's write says about it: 0, or -1 with errno. */
static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error;
	ssize_t n;

	if (fd < 0)
		die(path);
	n = write(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return n < 0 ? -1 : 0;
}

static void show_current(void)
{
	char *text = read_text(FILES "sched"), *name = strchr(text, '[');

	if (!name)
		die("no scheduler is in force");
	puts(strtok(name + 1, "]"));
	free(text);
}

/* Why the last file was refused is the line that begins with this. */
static void show_refusal(void)
{
	char *text = read_text(FILES "sched-load");

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, "refused ", 8) == 0)
			fprintf(stderr, "schedctl: %s\n", line);
	free(text);
}

/* The name that a library has which was loaded from a file: the caller frees it.  A line is name,
 * address, pages and file, whose own name may have blanks in it. */
static char *loaded_name(const char *path)
{
	char *text = read_text(FILES "sched-load"), *name = NULL, *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line && !name; line = strtok_r(NULL, "\n", &rest)) {
		char first[64];
		int file = 0;

		if (sscanf(line, "%63s %*s %*s %n", first, &file) == 1 && file &&
		    strcmp(line + file, path) == 0)
			name = strdup(first);
	}
	free(text);
	return name;
}

/* Why errno alone does not tell enough, on a line of its own. */
static void explain(int error)
{
	if (error == ENOEXEC)
		show_refusal();
	else if (error == EBUSY)
		fputs("schedctl: the loaded library of that name is in force: put another in force first "
		      "(schedctl use fifo)\n", stderr);
	else if (error == EEXIST)
		fputs("schedctl: its name is fifo: nothing comes before the library of that name, "
		      "which takes over when another fails\n",
		      stderr);
}

/*
 * The path is what the library is found by afterwards, so it is one that means the same to all.  If the
 * name is that of a loaded library in force, which can be replaced only when it is not, and is about to
 * be used, fifo is in force meanwhile: the new one has passed all checks by then.
 */
static char *load(const char *file, bool to_be_used)
{
	char *path = realpath(file, NULL), *name;
	int r;

	if (!path)
		die(file);
	r = write_text(FILES "sched-load", path);
	if (r < 0 && errno == EBUSY && to_be_used && write_text(FILES "sched", "fifo") == 0)
		r = write_text(FILES "sched-load", path);
	if (r < 0) {
		int error = errno;

		explain(error);
		errno = error;
		die(path);
	}
	name = loaded_name(path);
	free(path);
	if (!name)
		die(file);
	return name;
}

static void load_and_say(const char *file)
{
	char *name = load(file, false);

	printf("%s\n", name);
	free(name);
}

static bool is_file_name(const char *what)
{
	size_t length = strlen(what);

	return strchr(what, '/') || (length > 3 && strcmp(what + length - 3, ".so") == 0);
}

static _Noreturn void no_library(const char *name)
{
	char *text = read_text(FILES "sched");

	fprintf(stderr, "schedctl: there is no library named %s; there are:", name);
	for (char *word = strtok(text, " []\n"); word; word = strtok(NULL, " []\n"))
		fprintf(stderr, " %s", word);
	fputc('\n', stderr);
	exit(1);
}

static bool is_library(const char *name)
{
	char *text = read_text(FILES "sched"), *word = strtok(text, " []\n");
	bool is;

	while (word && strcmp(word, name) != 0)
		word = strtok(NULL, " []\n");
	is = word != NULL;
	free(text);
	return is;
}

static void use(const char *what)
{
	char *name = is_file_name(what) ? load(what, true) : strdup(what);

	if (!name)
		die(what);
	if (write_text(FILES "sched", name) < 0) {
		if (errno == ENOENT)
			no_library(name);
		die(what);
	}
	free(name);
}

static void unload(const char *name)
{
	if (write_text(FILES "sched-unload", name) < 0) {
		int error = errno;

		if (error == ENOENT) {
			fprintf(stderr, "schedctl: %s is not loaded: see schedctl loaded\n", name);
			exit(1);
		}
		explain(error);
		errno = error;
		die(name);
	}
}

/* What `schedctl param` would have shown of it. */
static _Noreturn void refused_param(const char *library, const char *key, const char *value)
{
	char *text = read_text(FILES "sched-param"), *rest = NULL, its_library[64], its_key[64];
	unsigned long now, min, max;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		int n = sscanf(line, "%63s %63s %lu %lu %lu", its_library, its_key, &now, &min,
			       &max);

		if (n == 5 && strcmp(its_library, library) == 0 && strcmp(its_key, key) == 0) {
			fprintf(stderr, "schedctl: %s of %s is a number from %lu to %lu, not %s\n",
				key, library, min, max, value);
			exit(1);
		}
	}
	fprintf(stderr, "schedctl: there is no number %s of %s: see schedctl param\n", key,
		library);
	exit(1);
}

static void show_params(const char *library)
{
	size_t length = strlen(library);
	char *text = read_text(FILES "sched-param");

	if (!is_library(library))
		no_library(library);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, library, length) == 0 && line[length] == ' ')
			puts(line);
	free(text);
}

static void set_param(char **words)
{
	char line[128];
	size_t n = (size_t)snprintf(line, sizeof(line), "%s %s %s", words[0], words[1], words[2]);

	if (n < sizeof(line) && write_text(FILES "sched-param", line) == 0)
		return;
	if (n >= sizeof(line) || errno == ENOENT || errno == ERANGE || errno == EINVAL)
		refused_param(words[0], words[1], words[2]);
	die(line);
}

/* Every file but those that are other commands' affair. */
static int is_statistics(const struct dirent *entry)
{
	static const char *const others[] = { ".", "..", "sched", "sched-load", "sched-unload",
					      "sched-param", "sched-dump", "trace" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(entry->d_name, others[i]) == 0)
			return 0;
	return 1;
}

static void show_statistics(void)
{
	struct dirent **entries;
	int n = scandir(FILES, &entries, is_statistics, alphasort);

	if (n < 0)
		die(FILES);
	for (int i = 0; i < n; i++) {
		char path[sizeof(FILES) + sizeof(entries[i]->d_name)];

		snprintf(path, sizeof(path), FILES "%s", entries[i]->d_name);
		printf("%s:\n", entries[i]->d_name);
		show(path);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (strcmp(command, "list") == 0 && argc == 2)
		show(FILES "sched");
	else if (strcmp(command, "current") == 0 && argc == 2)
		show_current();
	else if (strcmp(command, "use") == 0 && argc == 3)
		use(argv[2]);
	else if (strcmp(command, "load") == 0 && argc == 3)
		load_and_say(argv[2]);
	else if (strcmp(command, "unload") == 0 && argc == 3)
		unload(argv[2]);
	else if (strcmp(command, "loaded") == 0 && argc == 2)
		show(FILES "sched-load");
	else if (strcmp(command, "param") == 0 && argc == 2)
		show(FILES "sched-param");
	else if (strcmp(command, "param") == 0 && argc == 3)
		show_params(argv[2]);
	else if (strcmp(command, "param") == 0 && argc == 5)
		set_param(argv + 2);
	else if (strcmp(command, "stats") == 0 && argc == 2)
		show_statistics();
	else if (strcmp(command, "dump") == 0 && argc == 2)
		show(FILES "sched-dump");
	else if (strcmp(command, "--help") == 0)
		print_usage(stdout);
	else {
		print_usage(stderr);
		return 2;
	}
	return !program_has_printed("schedctl");
}
