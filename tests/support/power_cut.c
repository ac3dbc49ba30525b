/* Records, in order, what a process writes to the files of one folder and when it asks for them to
 * be on the disk. Preloaded before libc; SQLite and Python come here through the names below.
 *
 * A record is op (1 byte), length of the name (1), offset (8), length of the data (4), name, data:
 *   W written at an offset, T cut to a length, B a sync begins, E it has ended, U removed.
 * What is written between B and E of a file may or may not be covered by that sync.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int record_fd = -1;

/* Declares `real`: libc's function of a name. */
#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* The name of a path within the watched folder, or null. */
static const char *watched(const char *path) {
  const char *folder = getenv("POWER_CUT_FOLDER");
  size_t length = folder ? strlen(folder) : 0;
  if (!length || strncmp(path, folder, length) || path[length] != '/') return NULL;
  const char *name = path + length + 1;
  return strchr(name, '/') || strlen(name) > 200 ? NULL : name;
}

static const char *watched_fd(int fd, char *buffer, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, buffer, size - 1);
  if (length <= 0) return NULL;
  buffer[length] = 0;
  return watched(buffer);
}

/* Add a record; the caller holds the lock. A record that cannot be written ends the process. */
static void note(char op, const char *name, uint64_t offset, const void *data, uint32_t length) {
  if (record_fd < 0)
    record_fd = syscall(SYS_open, getenv("POWER_CUT_RECORD"),
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  unsigned char head[14];
  head[0] = op;
  head[1] = (unsigned char)strlen(name);
  memcpy(head + 2, &offset, 8);
  memcpy(head + 10, &length, 4);
  struct iovec parts[3] = {{head, sizeof head}, {(void *)name, head[1]}, {(void *)data, length}};
  ssize_t whole = (ssize_t)(sizeof head + head[1] + length);
  if (syscall(SYS_writev, record_fd, parts, 3) != whole) _exit(99);
}

static ssize_t write_at(ssize_t (*real)(int, const void *, size_t, off64_t), int fd,
                        const void *data, size_t length, off64_t offset) {
  char buffer[4096];
  const char *name = watched_fd(fd, buffer, sizeof buffer);
  if (!name) return real(fd, data, length, offset);
  pthread_mutex_lock(&order);
  ssize_t done = real(fd, data, length, offset);
  if (done > 0) note('W', name, (uint64_t)offset, data, (uint32_t)done);
  pthread_mutex_unlock(&order);
  return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
  REAL(pwrite64);
  return write_at(real, fd, data, length, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  REAL(pwrite64);
  return write_at(real, fd, data, length, offset);
}

ssize_t write(int fd, const void *data, size_t length) {
  REAL(write);
  char buffer[4096];
  const char *name = watched_fd(fd, buffer, sizeof buffer);
  if (!name) return real(fd, data, length);
  pthread_mutex_lock(&order);
  ssize_t done = real(fd, data, length);
  off64_t end = lseek64(fd, 0, SEEK_CUR);
  if (done > 0) note('W', name, (uint64_t)(end - done), data, (uint32_t)done);
  pthread_mutex_unlock(&order);
  return done;
}

static int cut(int (*real)(int, off64_t), int fd, off64_t length) {
  char buffer[4096];
  const char *name = watched_fd(fd, buffer, sizeof buffer);
  if (!name) return real(fd, length);
  pthread_mutex_lock(&order);
  int failed = real(fd, length);
  if (!failed) note('T', name, (uint64_t)length, NULL, 0);
  pthread_mutex_unlock(&order);
  return failed;
}

int ftruncate(int fd, off_t length) {
  REAL(ftruncate64);
  return cut(real, fd, length);
}

int ftruncate64(int fd, off64_t length) {
  REAL(ftruncate64);
  return cut(real, fd, length);
}

static int synced(int (*real)(int), int fd) {
  char buffer[4096];
  const char *name = watched_fd(fd, buffer, sizeof buffer);
  if (!name) return real(fd);
  pthread_mutex_lock(&order);
  note('B', name, 0, NULL, 0);
  pthread_mutex_unlock(&order);
  int failed = real(fd);
  if (failed) return failed;
  pthread_mutex_lock(&order);
  note('E', name, 0, NULL, 0);
  pthread_mutex_unlock(&order);
  return 0;
}

int fsync(int fd) {
  REAL(fsync);
  return synced(real, fd);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  return synced(real, fd);
}

int unlink(const char *path) {
  REAL(unlink);
  const char *name = watched(path);
  if (!name) return real(path);
  pthread_mutex_lock(&order);
  int failed = real(path);
  if (!failed) note('U', name, 0, NULL, 0);
  pthread_mutex_unlock(&order);
  return failed;
}
