/* SPDX-License-Identifier: MIT */
/*
 * The tree and its files, against the host's own file system: the same calls are made on both,
 * and every result and errno must agree.
 * libos/fs/page_tree.c libos/fs/file_data.c libos/fs/file_range.c libos/fs/space.c libos/fs/directory.c
 * libos/fs/directory_order.c libos/fs/memfs.c libos/fs/memfs_tree.c libos/fs/memfs_file.c
 * libos/fs/inode.c libos/fs/path.c libos/fs/path_cache.c libos/fs/path_name.c libos/fs/name.c
 * libos/fs/rename.c libos/fs/open.c libos/fs/stat.c libos/fs/attribute.c libos/fs/read_write.c
 * libos/fs/context.c libos/fs/descriptor.c libos/fs/file.c libos/fs/file_life.c libos/fs/record_lock.c
 * libos/fs/directory_file.c libos/fs/device.c libos/fs/tree_build.c libos/fs/pipe.c libos/fs/pipe_ends.c
 * libos/fs/pipe_ring.c libos/fs/pipe_calls.c libos/fs/poll.c libos/fs/poll_entry.c libos/fs/transfer.c
 * libos/fs/own_descriptors.c libos/fs/descriptor_table.c */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "libos_shim.h"
#include "check.h"
#include "abi/syscall.h"
#include "fs/calls.h"
#include "fs/epoll.h"
#include "fs/inode.h"
#include "fs/memfs.h"
#include "fs/space.h"
#include "proc/user.h"
#include "vm/vm.h"

#define ROUNDS 300000
#define SPACE_BYTES (16ul << 20)
#define FILE_MAX 20000

_Atomic bool calls_are_traced;

/* Nothing is mapped here. */
bool vm_cut_file(const struct file_data *data, uint64_t first, struct vm_cut *cut)
{
	return false;
}

void vm_cut_end(struct vm_cut *cut)
{
}

/* There is one process, and nobody shares its context. */
void process_get(struct process *p)
{
}

void process_put(struct process *p)
{
}

uint64_t frames_total_count(void)
{
	return 65536;
}

/* There is room for all pipes. */
struct user *user_hold_own(void)
{
	return NULL;
}

void user_let_go(struct user *u)
{
}

bool user_add_pipe_pages(struct user *u, uint64_t n, uint64_t most)
{
	return true;
}

void user_remove_pipe_pages(struct user *u, uint64_t n)
{
}

/* Nobody waits for many files here. */
bool user_add_polled(struct user *u, uint64_t n, uint64_t most)
{
	return true;
}

void user_remove_polled(struct user *u, uint64_t n)
{
}

/* Nothing is watched here. */
void epoll_forget(struct file *f)
{
}

static uint64_t random_state = 1;
static bool have_host; /* may chroot: only then can the two be compared */

static unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)((random_state >> 11) % n);
}

/* Short paths from few names, so that they meet often. */
static char *random_path(char *path)
{
	static const char *const names[] = { "a", "b", "c", "d", ".", "..", "a", "b" };
	int depth = 1 + (int)below(3);

	path[0] = 0;
	if (below(6) == 0)
		strcat(path, "/");
	for (int n = 0; n < depth; n++) {
		strcat(path, names[below(8)]);
		if (n + 1 < depth || below(12) == 0)
			strcat(path, below(20) ? "/" : "//");
	}
	return path;
}

static long host(long result)
{
	return result < 0 ? -errno : result;
}

#define BOTH(number, name, ...) \
	compare(#name, a, b, sys_##name(__VA_ARGS__), host(syscall(number, __VA_ARGS__)))
#define P(path) ((uint64_t)(path))

static long compare(const char *call, const char *a, const char *b, long ours, long theirs)
{
	if (ours != theirs) {
		printf("# %s(%s, %s): %ld, on the host %ld\n", call, a, b, ours, theirs);
		check_failures_in_case++;
	}
	return ours;
}

/* Opens on both; *theirs is the host's descriptor.  Below 0: both failed alike. */
static long open_both(const char *path, int flags, int *theirs)
{
	long ours = sys_openat(AT_FDCWD, P(path), flags, 0666);
	long there = host(syscall(SYS_openat, AT_FDCWD, path, flags, 0666));

	*theirs = (int)there;
	if ((ours < 0 || there < 0) && ours != there) {
		printf("# open(%s, %#x): %ld, on the host %ld\n", path, flags, ours, there);
		check_failures_in_case++;
	}
	if (ours >= 0 && there < 0)
		sys_close((int)ours);
	if (ours < 0 && there >= 0)
		close((int)there);
	return there < 0 ? there : ours;
}

static void compare_data(long fd, int theirs)
{
	static char mine[FILE_MAX], other[FILE_MAX];
	unsigned at = below(FILE_MAX), n = below(FILE_MAX);
	long got = sys_pread64((int)fd, P(mine), n, at);
	long got_there = host(syscall(SYS_pread64, theirs, other, n, at));

	CHECK_EQ(got, got_there);
	CHECK(got <= 0 || got != got_there || memcmp(mine, other, (size_t)got) == 0);
}

static void compare_attributes(const char *a, const char *b)
{
	struct stat mine, other;
	long result = sys_lstat(P(a), P(&mine));

	compare("lstat", a, b, result, host(syscall(SYS_lstat, a, &other)));
	if (result != 0)
		return;
	CHECK_EQ(mine.st_mode, other.st_mode);
	CHECK_EQ(mine.st_nlink, other.st_nlink);
	CHECK((mine.st_mode & S_IFMT) == S_IFDIR || mine.st_size == other.st_size);
}

static void change_file(const char *path)
{
	static const int extra[] = { 0,          O_CREAT,           O_CREAT | O_EXCL,
				     O_TRUNC,    O_CREAT | O_TRUNC, O_APPEND,
				     O_NOFOLLOW, O_DIRECTORY,       O_CREAT | O_NOFOLLOW };
	int flags = extra[below(9)] | (below(4) ? O_RDWR : O_RDONLY), theirs;
	long fd = open_both(path, flags, &theirs);
	static char data[FILE_MAX];
	unsigned n = below(below(2) ? 100 : 9000), at = below(10000);
	const char *a = path, *b = "";

	if (fd < 0)
		return;
	memset(data, 'a' + (int)below(26), n);
	switch (below(6)) {
	case 0:
		CHECK_EQ(sys_write((int)fd, P(data), n), host(syscall(SYS_write, theirs, data, n)));
		break;
	case 1:
		CHECK_EQ(sys_pwrite64((int)fd, P(data), n, at),
			 host(syscall(SYS_pwrite64, theirs, data, n, at)));
		break;
	case 2:
		CHECK_EQ(sys_ftruncate((int)fd, at), host(syscall(SYS_ftruncate, theirs, at)));
		break;
	case 3:
		CHECK_EQ(sys_fallocate((int)fd, 3, at, n + 1),
			 host(syscall(SYS_fallocate, theirs, 3, at, n + 1)));
		break;
	case 4:
		if (n)
			compare("seek", a, b, sys_lseek((int)fd, at, SEEK_END),
				host(syscall(SYS_lseek, theirs, at, SEEK_END)));
		break;
	}
	compare_data(fd, theirs);
	CHECK_EQ(sys_close((int)fd), 0);
	close(theirs);
}

static void change_names(const char *a, const char *b)
{
	unsigned flags = 1 + below(2), mode = below(2) ? 0755 : 0640;

	switch (below(9)) {
	case 0:
		BOTH(SYS_mkdir, mkdir, P(a), 0777);
		break;
	case 1:
		BOTH(SYS_rmdir, rmdir, P(a));
		break;
	case 2:
		BOTH(SYS_unlink, unlink, P(a));
		break;
	case 3:
		BOTH(SYS_link, link, P(a), P(b));
		break;
	case 4:
		if (below(3) == 0)
			BOTH(SYS_symlink, symlink, P(a), P(b));
		break;
	case 5:
	case 6:
		BOTH(SYS_rename, rename, P(a), P(b));
		break;
	case 7:
		BOTH(SYS_renameat2, renameat2, AT_FDCWD, P(a), AT_FDCWD, P(b), flags);
		break;
	case 8:
		BOTH(SYS_chmod, chmod, P(a), mode);
		break;
	}
}

static void check_readlink(const char *a, const char *b)
{
	char mine[100], other[100];
	long n = sys_readlink(P(a), P(mine), sizeof(mine));

	compare("readlink", a, b, n, host(syscall(SYS_readlink, a, other, sizeof(other))));
	CHECK(n <= 0 || memcmp(mine, other, (size_t)n) == 0);
}

static void check_working_directory(const char *a, const char *b)
{
	char mine[300], other[300];

	BOTH(SYS_chdir, chdir, P(a));
	compare("getcwd", a, b, sys_getcwd(P(mine), sizeof(mine)),
		host(syscall(SYS_getcwd, other, sizeof(other))));
	if (below(3) == 0)
		BOTH(SYS_chdir, chdir, P("/"));
}

static void same_calls_have_same_results(void)
{
	char a[64], b[64];

	for (int round = 0; round < ROUNDS && !check_failures_in_case; round++) {
		random_path(a);
		random_path(b);
		switch (below(8)) {
		case 0:
		case 1:
			change_file(a);
			break;
		case 2:
			compare_attributes(a, b);
			break;
		case 3:
			check_readlink(a, b);
			break;
		case 4:
			check_working_directory(a, b);
			break;
		default:
			change_names(a, b);
		}
	}
}

static void set_up(void)
{
	int error;

	mutex_init(&tree_mutex, "tree", MUTEX_FS);
	space_init(SPACE_BYTES);
	root_inode = memfs_create(S_IFDIR | 0755, 0, &error);
	root_inode->parent = root_inode;
	root_inode->links = 2;
	shim_process.files = file_table_create();
	fs_context_init(&shim_process);
}

static unsigned entries_in(const char *path, char *names, size_t size)
{
	int fd = (int)sys_open(P(path), O_RDONLY | O_DIRECTORY, 0);
	char buffer[200];
	unsigned count = 0;
	long n;

	while ((n = sys_getdents64(fd, P(buffer), sizeof(buffer))) > 0)
		for (long at = 0; at < n;) {
			struct linux_dirent64 *d = (void *)(buffer + at);

			strncat(names, d->name, size - strlen(names) - 1);
			strncat(names, " ", size - strlen(names) - 1);
			at += d->size;
			count++;
		}
	sys_close(fd);
	return count;
}

static void listing_has_every_name_once(void)
{
	char names[4096] = "", path[32];

	CHECK_EQ(sys_mkdir(P("/list"), 0755), 0);
	for (int n = 0; n < 200; n++) {
		snprintf(path, sizeof(path), "/list/%03d", n);
		CHECK(sys_close((int)sys_creat(P(path), 0600)) == 0);
	}
	CHECK_EQ(entries_in("/list", names, sizeof(names)), 202);
	for (int n = 0; n < 200; n++) {
		snprintf(path, sizeof(path), " %03d ", n);
		CHECK(strstr(names, path) != NULL);
		snprintf(path, sizeof(path), "/list/%03d", n);
		CHECK_EQ(sys_unlink(P(path)), 0);
	}
	CHECK_EQ(sys_rmdir(P("/list")), 0);
}

static void full_file_system_says_so_and_recovers(void)
{
	static char data[65536];
	uint64_t before = space_usage().used_bytes;
	int fd = (int)sys_creat(P("/full"), 0600);
	long n;

	while ((n = sys_write(fd, P(data), sizeof(data))) > 0)
		;
	CHECK_EQ(n, -ENOSPC);
	CHECK(sys_mkdir(P("/no room"), 0755) == -ENOSPC ||
	      space_usage().used_bytes + 4096 > SPACE_BYTES);
	sys_rmdir(P("/no room"));
	CHECK_EQ(sys_unlink(P("/full")), 0);
	CHECK_EQ(sys_close(fd), 0);
	CHECK_EQ(space_usage().used_bytes, before);
}

static void archive_data_is_copied_when_written(void)
{
	static char archive[10000];
	char got[3];
	struct inode *i;
	int error, fd;

	memset(archive, 'x', sizeof(archive));
	i = memfs_create_over(0644, archive, sizeof(archive), &error);
	mutex_lock(&tree_mutex);
	CHECK_EQ(memfs_link(root_inode, "archived", 8, i), 0);
	mutex_unlock(&tree_mutex);
	inode_put(i);
	fd = (int)sys_open(P("/archived"), O_RDWR, 0);
	CHECK_EQ(sys_pwrite64(fd, P("abc"), 3, 5000), 3);
	CHECK_EQ(archive[5000], 'x');
	CHECK_EQ(sys_pread64(fd, P(got), 3, 4999), 3);
	CHECK(memcmp(got, "xab", 3) == 0);
	CHECK_EQ(sys_ftruncate(fd, 100), 0);
	CHECK_EQ(sys_ftruncate(fd, 10000), 0);
	CHECK_EQ(sys_pread64(fd, P(got), 3, 99), 3);
	CHECK(memcmp(got, "x\0", 3) == 0);
	sys_close(fd);
	CHECK_EQ(sys_unlink(P("/archived")), 0);
}

/* Every allocation in turn fails once: the call says so, and leaves nothing behind. */
static void out_of_memory_leaves_no_trace(void)
{
	for (unsigned after = 1; after < 12; after++) {
		uint64_t used_before = space_usage().used_bytes;
		unsigned long blocks = shim_blocks;
		long fd;

		shim_fail_after = after;
		fd = sys_openat(AT_FDCWD, P("/new"), O_CREAT | O_RDWR, 0600);
		if (fd >= 0)
			sys_write((int)fd, P("hello"), 5);
		shim_fail_after = 0;
		if (fd >= 0)
			CHECK_EQ(sys_close((int)fd), 0);
		sys_unlink(P("/new"));
		CHECK_EQ(space_usage().used_bytes, used_before);
		CHECK_EQ(shim_blocks, blocks);
	}
}

static void everything(void)
{
	set_up();
	RUN(listing_has_every_name_once);
	RUN(full_file_system_says_so_and_recovers);
	RUN(archive_data_is_copied_when_written);
	RUN(out_of_memory_leaves_no_trace);
	if (have_host)
		RUN(same_calls_have_same_results);
	else
		printf("ok same_calls_have_same_results # skip needs root and /dev/shm\n");
}

/* The leak checker needs /proc, which is not there after chroot; shim_blocks counts instead. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

int main(void)
{
	char directory[] = "/dev/shm/memfs-test-XXXXXX", command[64];
	int outside = (int)syscall(SYS_open, "/", O_RDONLY | O_DIRECTORY, 0);

	have_host = mkdtemp(directory) && syscall(SYS_chmod, directory, 0755) == 0 &&
		    chroot(directory) == 0 && chdir("/") == 0;
	syscall(SYS_umask, 022);
	shim_run(everything);
	if (have_host && fchdir(outside) == 0 && chroot(".") == 0) {
		snprintf(command, sizeof(command), "rm -rf %s", directory);
		return system(command) || check_result();
	}
	return check_result();
}
