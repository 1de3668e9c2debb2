/* Records, fails or delays the file system calls that one process makes below one directory (LD_PRELOAD).
 *
 *   FIELDGATE_SHIM_ROOT      absolute path; only calls on what lies below it are looked at
 *   FIELDGATE_SHIM_LOG       every change and every sync is appended here, with its data; support/oplog.rs reads it
 *   FIELDGATE_SHIM_MARKS     a file outside of the root whose writes are put into the log as marks
 *   FIELDGATE_SHIM_NO_SYNC   part of a path: syncs of such files succeed without being done or recorded
 *   FIELDGATE_SHIM_FAIL      "n errno": the n-th call fails; "n errno m": the m calls from there on
 *   FIELDGATE_SHIM_ONLY      the calls that may fail, for instance "fsync fdatasync"; by default all of them
 *   FIELDGATE_SHIM_WHILE     a file: calls fail, reads are bad and syncs are slow only as long as it exists
 *   FIELDGATE_SHIM_HIT       written when a call was made to fail: which, and on what
 *   FIELDGATE_SHIM_BAD_READ  part of a path: reading such a file fails with EIO
 *   FIELDGATE_SHIM_SLOW_MS   how much longer every sync takes
 *
 * Calls are made one at a time, so that the log has the order in which they took effect: a sync covers exactly the writes
 * before it. The calls go to the kernel by syscall(2), which needs no look-up of the functions that are replaced here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef AT_REMOVEDIR
#define AT_REMOVEDIR 0x200
#endif

struct header {
    uint8_t op;
    uint8_t reserved[3];
    uint32_t path_len;
    uint32_t data_len;
    uint32_t reserved_too;
    uint64_t offset;
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *marks, *no_sync, *hit, *bad_read, *only, *during;
static size_t root_len;
static int log_fd = -1;
static long calls, fail_from, fail_until;
static int fail_errno;
static useconds_t slow_us;

__attribute__((constructor)) static void start(void) {
    root = getenv("FIELDGATE_SHIM_ROOT");
    root_len = root ? strlen(root) : 0;
    marks = getenv("FIELDGATE_SHIM_MARKS");
    no_sync = getenv("FIELDGATE_SHIM_NO_SYNC");
    hit = getenv("FIELDGATE_SHIM_HIT");
    bad_read = getenv("FIELDGATE_SHIM_BAD_READ");
    only = getenv("FIELDGATE_SHIM_ONLY");
    during = getenv("FIELDGATE_SHIM_WHILE");
    const char *text = getenv("FIELDGATE_SHIM_SLOW_MS");
    slow_us = text ? (useconds_t)atol(text) * 1000 : 0;
    text = getenv("FIELDGATE_SHIM_FAIL");
    long count = 1;
    if (text && sscanf(text, "%ld %d %ld", &fail_from, &fail_errno, &count) >= 2) fail_until = fail_from + count;
    text = getenv("FIELDGATE_SHIM_LOG");
    if (root && text)
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* === which path === */

static int below(const char *path) {
    return root && !strncmp(path, root, root_len) && (path[root_len] == '/' || !path[root_len]);
}

/* The path of an open file, "" if it has none that matters. */
static const char *path_of(int fd, char *buffer) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = syscall(SYS_readlinkat, AT_FDCWD, link, buffer, PATH_MAX - 1);
    buffer[len > 0 ? len : 0] = 0;
    return strstr(buffer, " (deleted)") ? "" : buffer;
}

static const char *absolute(int dir, const char *path, char *buffer) {
    char base[PATH_MAX];
    if (!path || path[0] == '/') return path ? path : "";
    if (dir == AT_FDCWD) {
        if (syscall(SYS_getcwd, base, sizeof base) < 0) return "";
    } else if (path_of(dir, base) != base) {
        return "";
    }
    snprintf(buffer, PATH_MAX, "%.2047s/%.2047s", base, path);
    return buffer;
}

/* === what is done with a call === */

static void record(char op, const char *path, uint64_t offset, const void *data, size_t len) {
    if (log_fd < 0) return;
    const char *shown = below(path) ? path + root_len : "";
    struct header header = {.op = (uint8_t)op, .path_len = (uint32_t)strlen(shown), .data_len = (uint32_t)len, .offset = offset};
    struct iovec parts[3] = {{&header, sizeof header}, {(void *)shown, header.path_len}, {(void *)data, len}};
    int kept = errno;
    if (syscall(SYS_writev, log_fd, parts, 3) < 0) abort();
    errno = kept;
}

/* Whether it is time for faults. */
static int is_time(void) {
    int kept = errno;
    int there = !during || !syscall(SYS_faccessat, AT_FDCWD, during, F_OK);
    errno = kept;
    return there;
}

/* True when this call is to fail; errno says how. */
static int fails(const char *call, const char *path) {
    if (!fail_from || !below(path) || (only && !strstr(only, call)) || !is_time()) return 0;
    calls++;
    if (calls < fail_from || calls >= fail_until) return 0;
    if (hit) {
        char line[PATH_MAX + 64];
        int len = snprintf(line, sizeof line, "%s %s\n", call, path + root_len);
        int fd = (int)syscall(SYS_openat, AT_FDCWD, hit, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0 || syscall(SYS_write, fd, line, len) < 0) abort();
        syscall(SYS_close, fd);
    }
    errno = fail_errno;
    return 1;
}

#define ENTER pthread_mutex_lock(&one_at_a_time)
#define LEAVE(result) do { pthread_mutex_unlock(&one_at_a_time); return (result); } while (0)

/* === opening === */

static int open_any(int dir, const char *path, int flags, mode_t mode) {
    char buffer[PATH_MAX];
    const char *full = absolute(dir, path, buffer);
    if (!below(full)) return (int)syscall(SYS_openat, dir, path, flags, mode);
    ENTER;
    if (fails("open", full)) LEAVE(-1);
    int creates = (flags & O_CREAT) && syscall(SYS_faccessat, dir, path, F_OK) < 0;
    int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    if (fd >= 0 && creates) record('C', full, 0, NULL, 0);
    else if (fd >= 0 && (flags & O_TRUNC)) record('T', full, 0, NULL, 0);
    LEAVE(fd);
}

#define MODE(flags, last) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, last); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags, flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, flags) return open_any(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags, flags) return open_any(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags, flags) return open_any(dir, path, flags, mode); }
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* === reading and writing === */

static int bad(int fd, char *buffer) {
    return bad_read && strstr(path_of(fd, buffer), bad_read) && below(buffer) && is_time();
}

ssize_t read(int fd, void *data, size_t len) {
    char buffer[PATH_MAX];
    if (bad(fd, buffer)) { errno = EIO; return -1; }
    return syscall(SYS_read, fd, data, len);
}

ssize_t pread64(int fd, void *data, size_t len, off64_t offset) {
    char buffer[PATH_MAX];
    if (bad(fd, buffer)) { errno = EIO; return -1; }
    return syscall(SYS_pread64, fd, data, len, offset);
}

ssize_t pread(int fd, void *data, size_t len, off_t offset) { return pread64(fd, data, len, offset); }

ssize_t write(int fd, const void *data, size_t len) {
    char buffer[PATH_MAX];
    const char *path = root && fd > 2 ? path_of(fd, buffer) : "";
    int mark = marks && !strcmp(path, marks);
    if (!mark && !below(path)) return syscall(SYS_write, fd, data, len);
    ENTER;
    if (!mark && fails("write", path)) LEAVE(-1);
    off_t at = 0;
    if (!mark) at = lseek(fd, 0, (fcntl(fd, F_GETFL) & O_APPEND) ? SEEK_END : SEEK_CUR);
    ssize_t done = syscall(SYS_write, fd, data, len);
    if (done > 0) record(mark ? 'M' : 'W', path, (uint64_t)at, data, (size_t)done);
    LEAVE(done);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset) {
    char buffer[PATH_MAX];
    const char *path = root ? path_of(fd, buffer) : "";
    if (!below(path)) return syscall(SYS_pwrite64, fd, data, len, offset);
    ENTER;
    if (fails("pwrite", path)) LEAVE(-1);
    ssize_t done = syscall(SYS_pwrite64, fd, data, len, offset);
    if (done > 0) record('W', path, (uint64_t)offset, data, (size_t)done);
    LEAVE(done);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset) { return pwrite64(fd, data, len, offset); }

int ftruncate64(int fd, off64_t len) {
    char buffer[PATH_MAX];
    const char *path = root ? path_of(fd, buffer) : "";
    if (!below(path)) return (int)syscall(SYS_ftruncate, fd, len);
    ENTER;
    if (fails("ftruncate", path)) LEAVE(-1);
    int done = (int)syscall(SYS_ftruncate, fd, len);
    if (!done) record('T', path, (uint64_t)len, NULL, 0);
    LEAVE(done);
}

int ftruncate(int fd, off_t len) { return ftruncate64(fd, len); }

int fallocate64(int fd, int mode, off64_t offset, off64_t len) {
    char buffer[PATH_MAX];
    const char *path = root ? path_of(fd, buffer) : "";
    if (!below(path)) return (int)syscall(SYS_fallocate, fd, mode, offset, len);
    ENTER;
    if (fails("fallocate", path)) LEAVE(-1);
    int done = (int)syscall(SYS_fallocate, fd, mode, offset, len);
    if (!done && !mode) record('A', path, (uint64_t)(offset + len), NULL, 0);
    LEAVE(done);
}

int fallocate(int fd, int mode, off_t offset, off_t len) { return fallocate64(fd, mode, offset, len); }
int posix_fallocate64(int fd, off64_t offset, off64_t len) { return fallocate64(fd, 0, offset, len) ? errno : 0; }
int posix_fallocate(int fd, off_t offset, off_t len) { return fallocate64(fd, 0, offset, len) ? errno : 0; }

/* === syncing === */

static int sync_any(long number, const char *call, int fd) {
    char buffer[PATH_MAX];
    const char *path = root ? path_of(fd, buffer) : "";
    if (!below(path)) return (int)syscall(number, fd);
    if (slow_us && is_time()) usleep(slow_us);
    ENTER;
    if (fails(call, path)) LEAVE(-1);
    if (no_sync && strstr(path, no_sync)) LEAVE(0);
    int done = (int)syscall(number, fd);
    if (!done) record('S', path, 0, NULL, 0);
    LEAVE(done);
}

int fsync(int fd) { return sync_any(SYS_fsync, "fsync", fd); }
int fdatasync(int fd) { return sync_any(SYS_fdatasync, "fdatasync", fd); }

/* No barrier: it is made to fail like the others, and leaves no trace in the log. */
int sync_file_range(int fd, off64_t offset, off64_t len, unsigned flags) {
    char buffer[PATH_MAX];
    const char *path = root ? path_of(fd, buffer) : "";
    ENTER;
    if (fails("sync_file_range", path)) LEAVE(-1);
    LEAVE((int)syscall(SYS_sync_file_range, fd, offset, len, flags));
}

/* === names === */

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    char first[PATH_MAX], second[PATH_MAX];
    const char *source = absolute(from_dir, from, first), *target = absolute(to_dir, to, second);
    if (!below(source) || !below(target)) return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
    ENTER;
    if (fails("rename", source)) LEAVE(-1);
    int done = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
    if (!done) record('R', source, 0, target + root_len, strlen(target) - root_len);
    LEAVE(done);
}

int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int unlinkat(int dir, const char *path, int flags) {
    char buffer[PATH_MAX];
    const char *full = absolute(dir, path, buffer);
    if (!below(full)) return (int)syscall(SYS_unlinkat, dir, path, flags);
    ENTER;
    if (fails(flags & AT_REMOVEDIR ? "rmdir" : "unlink", full)) LEAVE(-1);
    int done = (int)syscall(SYS_unlinkat, dir, path, flags);
    if (!done) record('U', full, 0, NULL, 0);
    LEAVE(done);
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int dir, const char *path, mode_t mode) {
    char buffer[PATH_MAX];
    const char *full = absolute(dir, path, buffer);
    if (!below(full)) return (int)syscall(SYS_mkdirat, dir, path, mode);
    ENTER;
    if (fails("mkdir", full)) LEAVE(-1);
    int done = (int)syscall(SYS_mkdirat, dir, path, mode);
    if (!done) record('D', full, 0, NULL, 0);
    LEAVE(done);
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
