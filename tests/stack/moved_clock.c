/* The time of day, later by as many seconds as a file says: preloaded into every process of a stack.
 *
 * The file holds one int64 and is mapped, so that the clocks of all processes jump at the same moment. Only the time of
 * day moves; monotonic clocks go on, as they do when a machine's clock is set. (Debian's libfaketime 0.9.10 cannot do
 * that for Python 3.11 and later, whose sleep() fails there: https://github.com/wolfcw/libfaketime/issues/426.)
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t none = 0;
static const volatile int64_t *later = &none;

__attribute__((constructor)) static void find_clock(void) {
    const char *path = getenv("MOVED_CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *found = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED)
        later = found;
    close(file);
}

/* The kernel itself is asked: others may want the time before this library has looked anything up. */
static int real_time(clockid_t clock, struct timespec *at) { return (int)syscall(SYS_clock_gettime, clock, at); }

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = real_time(clock, at);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        at->tv_sec += *later;
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}

/* Which clock a deadline was read from, and the deadline as the kernel's clock has it: boots are not fifty years ago. */
static clockid_t on_kernel_clock(const struct timespec *deadline, struct timespec *real) {
    struct timespec now;
    real_time(CLOCK_REALTIME, &now);
    *real = *deadline;
    if (deadline->tv_sec < now.tv_sec / 2)
        return CLOCK_MONOTONIC;
    if (deadline->tv_sec >= now.tv_sec + *later / 2) /* else it was set before the clock was moved */
        real->tv_sec -= *later;
    return CLOCK_REALTIME;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
    struct timespec real;
    clockid_t clock = on_kernel_clock(deadline, &real);
    return sem_clockwait(semaphore, clock, &real);
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict deadline) {
    struct timespec real;
    clockid_t clock = on_kernel_clock(deadline, &real);
    return pthread_cond_clockwait(condition, mutex, clock, &real);
}
