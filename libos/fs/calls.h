/* SPDX-License-Identifier: MIT */
/*
 * The system calls on files, by the source that holds them.  Arguments are as Linux's manual
 * pages give them, with addresses in the program as uint64_t.
 */
#ifndef LIBOS_FS_CALLS_H
#define LIBOS_FS_CALLS_H

#include <stdint.h>

/* context.c */
long sys_chdir(uint64_t path);
long sys_fchdir(int fd);
long sys_chroot(uint64_t path);
long sys_getcwd(uint64_t buf, uint64_t size);
long sys_umask(uint32_t mask);

/* open.c */
long sys_open(uint64_t path, int flags, uint32_t mode);
long sys_openat(int dirfd, uint64_t path, int flags, uint32_t mode);
long sys_creat(uint64_t path, uint32_t mode);
long sys_close(int fd);
long sys_close_range(unsigned first, unsigned last, unsigned flags);
long sys_memfd_create(uint64_t name, unsigned flags);

/* descriptor.c, fcntl.c, record_lock.c */
long sys_dup(int fd);
long sys_dup2(int from, int to);
long sys_dup3(int from, int to, int flags);
long sys_fcntl(int fd, int command, uint64_t argument);
long sys_flock(int fd, int operation);
long sys_ioctl(int fd, unsigned command, uint64_t argument);

/* read_write.c, vector_io.c, transfer.c */
long sys_read(int fd, uint64_t buf, uint64_t n);
long sys_write(int fd, uint64_t buf, uint64_t n);
long sys_pread64(int fd, uint64_t buf, uint64_t n, int64_t offset);
long sys_pwrite64(int fd, uint64_t buf, uint64_t n, int64_t offset);
long sys_lseek(int fd, int64_t offset, int whence);
long sys_getdents64(int fd, uint64_t buf, uint64_t n);
long sys_sync(void);
long sys_syncfs(int fd);
long sys_fsync(int fd);
long sys_sync_file_range(int fd, int64_t offset, int64_t n, unsigned flags);
long sys_fdatasync(int fd);
long sys_readv(int fd, uint64_t vector, int count);
long sys_writev(int fd, uint64_t vector, int count);
long sys_preadv(int fd, uint64_t vector, int count, int64_t offset);
long sys_pwritev(int fd, uint64_t vector, int count, int64_t offset);
long sys_preadv2(int fd, uint64_t vector, int count, int64_t offset, uint64_t high, int flags);
long sys_pwritev2(int fd, uint64_t vector, int count, int64_t offset, uint64_t high, int flags);
long sys_sendfile(int out, int in, uint64_t offset, uint64_t n);
long sys_copy_file_range(int in_fd, uint64_t in_user, int out_fd, uint64_t out_user, uint64_t n,
			 unsigned flags);
long sys_fadvise64(int fd, int64_t offset, int64_t n, int advice);
long sys_readahead(int fd, int64_t offset, uint64_t n);

/* stat.c */
long sys_stat(uint64_t path, uint64_t out);
long sys_lstat(uint64_t path, uint64_t out);
long sys_fstat(int fd, uint64_t out);
long sys_newfstatat(int dirfd, uint64_t path, uint64_t out, int flags);
long sys_statx(int dirfd, uint64_t path, int flags, unsigned mask, uint64_t out);
long sys_statfs(uint64_t path, uint64_t out);
long sys_fstatfs(int fd, uint64_t out);
long sys_access(uint64_t path, int mode);
long sys_faccessat(int dirfd, uint64_t path, int mode);
long sys_faccessat2(int dirfd, uint64_t path, int mode, int flags);

/* name.c, rename.c */
long sys_mkdir(uint64_t path, uint32_t mode);
long sys_mkdirat(int dirfd, uint64_t path, uint32_t mode);
long sys_mknod(uint64_t path, uint32_t mode, uint32_t device);
long sys_mknodat(int dirfd, uint64_t path, uint32_t mode, uint32_t device);
long sys_rmdir(uint64_t path);
long sys_unlink(uint64_t path);
long sys_unlinkat(int dirfd, uint64_t path, int flags);
long sys_link(uint64_t from, uint64_t to);
long sys_linkat(int from_dirfd, uint64_t from, int to_dirfd, uint64_t to, int flags);
long sys_symlink(uint64_t target, uint64_t path);
long sys_symlinkat(uint64_t target, int dirfd, uint64_t path);
long sys_readlink(uint64_t path, uint64_t buf, int size);
long sys_readlinkat(int dirfd, uint64_t path, uint64_t buf, int size);
long sys_rename(uint64_t from, uint64_t to);
long sys_renameat(int from_dirfd, uint64_t from, int to_dirfd, uint64_t to);
long sys_renameat2(int from_dirfd, uint64_t from, int to_dirfd, uint64_t to, unsigned flags);

/* attribute.c */
long sys_chmod(uint64_t path, uint32_t mode);
long sys_fchmod(int fd, uint32_t mode);
long sys_fchmodat(int dirfd, uint64_t path, uint32_t mode);
long sys_chown(uint64_t path, uint32_t uid, uint32_t gid);
long sys_lchown(uint64_t path, uint32_t uid, uint32_t gid);
long sys_fchown(int fd, uint32_t uid, uint32_t gid);
long sys_fchownat(int dirfd, uint64_t path, uint32_t uid, uint32_t gid, int flags);
long sys_utime(uint64_t path, uint64_t user);
long sys_utimes(uint64_t path, uint64_t user);
long sys_futimesat(int dirfd, uint64_t path, uint64_t user);
long sys_utimensat(int dirfd, uint64_t path, uint64_t user, int flags);
long sys_truncate(uint64_t path, int64_t size);
long sys_ftruncate(int fd, int64_t size);
long sys_fallocate(int fd, int mode, int64_t offset, int64_t size);

/* extended_attribute.c */
long sys_setxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size, int flags);
long sys_lsetxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size, int flags);
long sys_fsetxattr(int fd, uint64_t name, uint64_t value, uint64_t size, int flags);
long sys_getxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size);
long sys_lgetxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t size);
long sys_fgetxattr(int fd, uint64_t name, uint64_t value, uint64_t size);
long sys_listxattr(uint64_t path, uint64_t list, uint64_t size);
long sys_llistxattr(uint64_t path, uint64_t list, uint64_t size);
long sys_flistxattr(int fd, uint64_t list, uint64_t size);
long sys_removexattr(uint64_t path, uint64_t name);
long sys_lremovexattr(uint64_t path, uint64_t name);
long sys_fremovexattr(int fd, uint64_t name);

/* pipe.c, eventfd.c */
long sys_pipe(uint64_t user);
long sys_pipe2(uint64_t user, int flags);
long sys_eventfd(unsigned count);
long sys_eventfd2(unsigned count, int flags);

/* socket_calls.c, socket_message.c, socket_option.c */
long sys_socket(int family, int type, int protocol);
long sys_socketpair(int family, int type, int protocol, uint64_t user);
long sys_connect(int fd, uint64_t address, int size);
long sys_bind(int fd, uint64_t address, int size);
long sys_listen(int fd, int backlog);
long sys_accept(int fd, uint64_t address, uint64_t size_user);
long sys_accept4(int fd, uint64_t address, uint64_t size_user, unsigned flags);
long sys_shutdown(int fd, int how);
long sys_getsockname(int fd, uint64_t address, uint64_t size_user);
long sys_getpeername(int fd, uint64_t address, uint64_t size_user);
long sys_getsockopt(int fd, int level, int option, uint64_t to, uint64_t size_user);
long sys_setsockopt(int fd, int level, int option, uint64_t from, int size);
long sys_sendto(int fd, uint64_t buf, uint64_t n, unsigned flags, uint64_t address,
		int address_size);
long sys_recvfrom(int fd, uint64_t buf, uint64_t n, unsigned flags, uint64_t address,
		  uint64_t size_user);
long sys_sendmsg(int fd, uint64_t user, unsigned flags);
long sys_recvmsg(int fd, uint64_t user, unsigned flags);
long sys_sendmmsg(int fd, uint64_t user, unsigned count, unsigned flags);
long sys_recvmmsg(int fd, uint64_t user, unsigned count, unsigned flags, uint64_t timeout);

/* poll.c, select.c */
long sys_poll(uint64_t fds, uint64_t count, int timeout_ms);
long sys_ppoll(uint64_t fds, uint64_t count, uint64_t timeout, uint64_t mask, uint64_t mask_size);
long sys_select(int count, uint64_t in, uint64_t out, uint64_t except, uint64_t timeout);
long sys_pselect6(int count, uint64_t in, uint64_t out, uint64_t except, uint64_t timeout,
		  uint64_t mask);

/* epoll_calls.c */
long sys_epoll_create(int size);
long sys_epoll_create1(int flags);
long sys_epoll_ctl(int epfd, int operation, int fd, uint64_t user);
long sys_epoll_wait(int epfd, uint64_t user, int max, int timeout_ms);
long sys_epoll_pwait(int epfd, uint64_t user, int max, int timeout_ms, uint64_t mask, uint64_t mask_size);
long sys_epoll_pwait2(int epfd, uint64_t user, int max, uint64_t timeout, uint64_t mask, uint64_t mask_size);

#endif
