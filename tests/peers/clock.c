/* Sets the wall clock that one process sees (LD_PRELOAD), and whether the kernel calls it synchronised.
 *
 *   FIELDGATE_CLOCK   a file with two numbers: seconds to add to the wall clock, and 1 if it is synchronised, else 0
 *
 * The file is read at each call, so the clock can be set while the process runs. Other clocks go on as they are.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

struct setting {
    long seconds;
    int synchronised;
};

static struct setting setting(void) {
    struct setting found = {0, 0};
    const char *path = getenv("FIELDGATE_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char text[64];
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) close(fd);
    if (len <= 0) return found;
    text[len] = 0;
    if (sscanf(text, "%ld %d", &found.seconds, &found.synchronised) != 2) abort();
    return found;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    long done = syscall(SYS_clock_gettime, id, at);
    if (!done && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += setting().seconds;
    return (int)done;
}

int adjtimex(struct timex *asked) {
    (void)asked;
    return setting().synchronised ? TIME_OK : TIME_ERROR;
}
