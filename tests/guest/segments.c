/* SPDX-License-Identifier: MIT */
/* System V shared memory: names, rights, who is attached, and until when a segment is there. */
#define _GNU_SOURCE
#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>
#include "in_child.h"
#include "test.h"

#define PAGE 4096ul
#define KEY 0x1234

static struct shmid_ds about(int id)
{
	struct shmid_ds s;

	CHECK_EQ(shmctl(id, IPC_STAT, &s), 0);
	return s;
}

static bool is_gone(int id)
{
	struct shmid_ds s;

	return shmctl(id, IPC_STAT, &s) == -1 && errno == EINVAL;
}

static bool failed(long result, int error)
{
	return result == -1 && errno == error;
}

static int make(key_t key, size_t size, int flags)
{
	int id = shmget(key, size, IPC_CREAT | flags);

	CHECK(id >= 0);
	return id;
}

static char *attach(int id)
{
	char *at = shmat(id, NULL, 0);

	CHECK(at != (char *)-1);
	return at;
}

static void it_is_shared_by_its_name(void)
{
	int id = make(KEY, 3 * PAGE + 5, 0600);
	char *at = attach(id), *again = attach(shmget(KEY, 0, 0));
	struct shmid_ds s = about(id);

	CHECK(s.shm_segsz == 3 * PAGE + 5 && s.shm_nattch == 2 && s.shm_perm.__key == KEY);
	CHECK(s.shm_cpid == getpid() && s.shm_lpid == getpid() && s.shm_perm.mode == 0600);
	CHECK(s.shm_atime >= s.shm_ctime && s.shm_dtime == 0 && s.shm_ctime > 0);
	strcpy(at + PAGE, "words");
	CHECK(at != again && strcmp(again + PAGE, "words") == 0);
	CHECK_EQ(shmdt(at), 0);
	CHECK_EQ(about(id).shm_nattch, 1);
	CHECK(about(id).shm_dtime > 0);
	CHECK(failed(shmdt(at), EINVAL) && failed(shmdt(again + PAGE), EINVAL));
	CHECK_EQ(shmdt(again), 0);
	/* Nobody is attached, and it is there. */
	at = attach(id);
	CHECK(strcmp(at + PAGE, "words") == 0);
	CHECK_EQ(shmdt(at), 0);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	CHECK(is_gone(id) && failed(shmget(KEY, 0, 0), ENOENT) && shmat(id, NULL, 0) == (void *)-1);
}

static void what_is_wrong_is_refused(void)
{
	int id = make(KEY, PAGE, 0600), own = make(IPC_PRIVATE, PAGE, 0);
	char *at = attach(id);

	CHECK(failed(shmget(KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600), EEXIST));
	CHECK(failed(shmget(KEY, 2 * PAGE, 0), EINVAL));
	CHECK(failed(shmget(KEY + 1, PAGE, 0), ENOENT));
	CHECK(failed(shmget(KEY + 1, 0, IPC_CREAT), EINVAL));
	CHECK(failed(shmget(IPC_PRIVATE, 1ul << 60, IPC_CREAT), ENOMEM));
	CHECK(failed(shmget(IPC_PRIVATE, 1ul << 42, IPC_CREAT), ENOMEM));
	CHECK_EQ(shmget(KEY, PAGE, IPC_CREAT | 0600), id);
	CHECK(make(IPC_PRIVATE, PAGE, 0) != own);
	CHECK_EQ(shmctl(own + 1, IPC_RMID, NULL), 0);
	CHECK_EQ(shmctl(own, IPC_RMID, NULL), 0);
	CHECK(failed((long)shmat(id, at + 1, 0), EINVAL));
	CHECK(failed((long)shmat(id, at, 0), EINVAL)); /* something is there */
	CHECK(failed((long)shmat(id, NULL, SHM_REMAP), EINVAL));
	CHECK(failed((long)shmat(-1, NULL, 0), EINVAL));
	CHECK(failed(shmctl(id, 99, NULL), EINVAL));
	*at = 'x';
	CHECK(shmat(id, at + 1, SHM_REMAP | SHM_RND) == at && *at == 'x');
	CHECK_EQ(about(id).shm_nattch, 1);
	CHECK_EQ(shmdt(at), 0);
	CHECK(shmat(id, at, 0) == at);
	CHECK_EQ(shmdt(at), 0);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static void one_that_is_removed_lasts_until_all_are_detached(void)
{
	int id = make(KEY, PAGE, 0600), other;
	char *at = attach(id), *again;

	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	CHECK(about(id).shm_perm.mode == (0600 | 01000) && about(id).shm_perm.__key == IPC_PRIVATE);
	other = make(KEY, PAGE, 0600); /* the name is free */
	CHECK(other != id);
	again = attach(id);
	*at = 'y';
	CHECK_EQ(*again, 'y');
	CHECK_EQ(shmdt(at), 0);
	CHECK(!is_gone(id));
	CHECK_EQ(shmdt(again), 0);
	CHECK(is_gone(id));
	CHECK_EQ(shmctl(other, IPC_RMID, NULL), 0);
}

static void processes_are_counted(void)
{
	int id = make(IPC_PRIVATE, PAGE, 0600), status;
	volatile char *at = attach(id);
	pid_t child = fork();

	if (child == 0) {
		CHECK_EQ(about(id).shm_nattch, 2);
		*at = 'c';
		execl("/proc/self/exe", "segments", "exits", NULL);
		_exit(1);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK(about(id).shm_nattch == 1 && *at == 'c');
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(shmdt((void *)at), 0);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(about(id).shm_nattch, 1);
	CHECK_EQ(munmap((void *)at, PAGE), 0);
	CHECK(is_gone(id));
}

/* All pieces that are left, and nothing else. */
static void what_is_left_of_it_is_detached(void)
{
	int id = make(IPC_PRIVATE, 4 * PAGE, 0600);
	char *at = attach(id), *between;

	CHECK_EQ(mprotect(at + PAGE, PAGE, PROT_READ), 0);
	CHECK_EQ(about(id).shm_nattch, 3);
	between = mmap(at + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		       0);
	CHECK(between == at + 2 * PAGE);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	CHECK_EQ(shmdt(at), 0);
	CHECK(is_gone(id) && *between == 0);
	CHECK(failed(msync(at, PAGE, MS_ASYNC), ENOMEM) && msync(between, PAGE, MS_ASYNC) == 0);
	CHECK(failed(msync(at + 3 * PAGE, PAGE, MS_ASYNC), ENOMEM));
	CHECK_EQ(munmap(between, PAGE), 0);
}

/* Its beginning is gone, but where that was the rest is known by. */
static void what_has_lost_its_beginning_is_detached(void)
{
	int id = make(IPC_PRIVATE, 3 * PAGE, 0600);
	char *at = attach(id);

	CHECK_EQ(munmap(at, PAGE), 0);
	CHECK(failed(shmdt(at + PAGE), EINVAL));
	CHECK_EQ(about(id).shm_nattch, 1);
	CHECK_EQ(shmdt(at), 0);
	CHECK_EQ(about(id).shm_nattch, 0);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static void one_for_reading_is_not_written(void)
{
	int id = make(IPC_PRIVATE, PAGE, 0600);
	char *at = attach(id), *read_only = shmat(id, NULL, SHM_RDONLY);

	*at = 'z';
	CHECK(read_only != (char *)-1 && *read_only == 'z');
	CHECK(failed(mprotect(read_only, PAGE, PROT_READ | PROT_WRITE), EACCES));
	CHECK(mprotect(at, PAGE, PROT_READ) == 0 &&
	      mprotect(at, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(shmdt(at) == 0 && shmdt(read_only) == 0);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static int shared_id;

static int as_another_user(void)
{
	struct shmid_ds s;

	if (setgid(1000) != 0 || setuid(1000) != 0)
		return 1;
	if (!failed((long)shmat(shared_id, NULL, 0), EACCES) ||
	    shmat(shared_id, NULL, SHM_RDONLY) == (void *)-1)
		return 2;
	if (!failed(shmget(KEY, 0, 0200), EACCES) || shmget(KEY, 0, 0004) != shared_id)
		return 3;
	if (shmctl(shared_id, IPC_STAT, &s) != 0 || !failed(shmctl(shared_id, IPC_SET, &s), EPERM))
		return 4;
	return !failed(shmctl(shared_id, IPC_RMID, NULL), EPERM);
}

static int as_its_new_owner(void)
{
	struct shmid_ds s;

	if (setgid(1000) != 0 || setuid(1000) != 0)
		return 1;
	if (shmat(shared_id, NULL, 0) == (void *)-1)
		return 2;
	return shmctl(shared_id, IPC_STAT, &s) != 0 || shmctl(shared_id, IPC_RMID, NULL) != 0;
}

static int as_a_member(void)
{
	gid_t group = 2000;

	if (setgroups(1, &group) != 0 || setgid(1000) != 0 || setuid(1000) != 0)
		return 1;
	return shmat(shared_id, NULL, 0) == (void *)-1 ? 2 : 0;
}

static void a_member_has_the_rights_of_the_group(void)
{
	struct shmid_ds s;

	shared_id = make(IPC_PRIVATE, PAGE, 0660);
	s = about(shared_id);
	s.shm_perm.gid = 2000;
	CHECK_EQ(shmctl(shared_id, IPC_SET, &s), 0);
	CHECK_EQ(in_child(as_a_member), 0);
	CHECK_EQ(shmctl(shared_id, IPC_RMID, NULL), 0);
}

static void rights_are_kept(void)
{
	struct shmid_ds s;

	shared_id = make(KEY, PAGE, 0604);
	CHECK_EQ(in_child(as_another_user), 0);
	s = about(shared_id);
	s.shm_perm.uid = 1000;
	CHECK_EQ(shmctl(shared_id, IPC_SET, &s), 0);
	CHECK_EQ(about(shared_id).shm_perm.uid, 1000);
	CHECK_EQ(in_child(as_its_new_owner), 0);
	CHECK(is_gone(shared_id));
}

/* Threads that make, find, attach, remove and detach one by its name: none is left over, or used when it
 * is gone. */
#define THREADS 4
#define ROUNDS 200

static _Atomic int bad;

static void *come_and_go(void *unused)
{
	for (int n = 0; n < ROUNDS; n++) {
		int id = shmget(KEY, PAGE, IPC_CREAT | 0600);
		_Atomic int *at = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

		if (id < 0)
			bad = 1;
		if (at == (void *)-1) {
			if (errno != EINVAL)
				bad = 2;
			continue; /* another has removed it */
		}
		atomic_fetch_add(at, 1);
		if (n % 2 && shmctl(id, IPC_RMID, NULL) != 0 && errno != EINVAL)
			bad = 3;
		if (*at < 1 || shmdt((void *)at) != 0)
			bad = 4;
	}
	return NULL;
}

static void several_come_and_go(void)
{
	pthread_t thread[THREADS];
	int id;

	for (int n = 0; n < THREADS; n++)
		CHECK_EQ(pthread_create(&thread[n], NULL, come_and_go, NULL), 0);
	for (int n = 0; n < THREADS; n++)
		CHECK_EQ(pthread_join(thread[n], NULL), 0);
	CHECK_EQ(bad, 0);
	id = shmget(KEY, 0, 0);
	if (id >= 0) {
		CHECK_EQ(about(id).shm_nattch, 0);
		CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	}
	CHECK(failed(shmget(KEY, 0, 0), ENOENT));
}

int main(int count, char **arguments)
{
	if (count > 1)
		return 0;
	RUN(it_is_shared_by_its_name);
	RUN(what_is_wrong_is_refused);
	RUN(one_that_is_removed_lasts_until_all_are_detached);
	RUN(processes_are_counted);
	RUN(what_is_left_of_it_is_detached);
	RUN(what_has_lost_its_beginning_is_detached);
	RUN(one_for_reading_is_not_written);
	RUN(rights_are_kept);
	RUN(a_member_has_the_rights_of_the_group);
	RUN(several_come_and_go);
	return test_result();
}
