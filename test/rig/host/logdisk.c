// logdisk: a disk that remembers. Mounted with FUSE it shows one image file, `disk`, and a file `mark`:
//   logdisk IMAGE LOG MOUNTPOINT
// Every write and every flush of `disk` goes to LOG in the order in which it came, in the format of the kernel's
// dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst); what is written to `mark` becomes a mark entry
// between them. A loop device on `disk` turns the flushes of a file system into fsync, so a write that was complete before
// a flush was asked for stands before it in the log. One thread: the order of the log is the order of the requests.
#define FUSE_USE_VERSION 35
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512
#define MAGIC 0x6a736677736872ULL
enum flag { FLUSH = 1, MARK = 8 };

static int disk, journal;
static uint64_t entries, end = SECTOR;
static off_t size;

static void put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static int whole(int fd, const void *bytes, size_t length, off_t at)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = pwrite(fd, (const char *)bytes + done, length - done, at + (off_t)done);
        if (n < 0) return -errno;
        done += (size_t)n;
    }
    return 0;
}

// The superblock counts the entries and is written last: an entry counts when it is there as a whole.
static int count(void)
{
    uint8_t super[SECTOR] = {0};
    put(super, MAGIC, 8);
    put(super + 8, 1, 8);
    put(super + 16, entries, 8);
    put(super + 24, SECTOR, 4);
    return whole(journal, super, sizeof super, 0);
}

static int note(uint64_t sector, const char *bytes, size_t length, uint64_t flags)
{
    uint8_t head[SECTOR] = {0};
    uint64_t sectors = (length + SECTOR - 1) / SECTOR;
    put(head, sector, 8);
    put(head + 8, flags & MARK ? 0 : sectors, 8);
    put(head + 16, flags, 8);
    put(head + 24, length, 8);
    int error = whole(journal, head, sizeof head, (off_t)end);
    if (!error && length) error = whole(journal, bytes, length, (off_t)end + SECTOR);
    if (error) return error;
    end += SECTOR + sectors * SECTOR;
    entries++;
    return count();
}

static int is_disk(const char *path) { return !strcmp(path, "/disk"); }
static int is_mark(const char *path) { return !strcmp(path, "/mark"); }

static int on_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
    (void)info;
    memset(st, 0, sizeof *st);
    st->st_nlink = 1;
    if (!strcmp(path, "/")) st->st_mode = S_IFDIR | 0700;
    else if (is_disk(path)) { st->st_mode = S_IFREG | 0600; st->st_size = size; }
    else if (is_mark(path)) st->st_mode = S_IFREG | 0600;
    else return -ENOENT;
    return 0;
}

static int on_open(const char *path, struct fuse_file_info *info)
{
    // Each write of a mark has to come through as it is.
    if (is_mark(path)) info->direct_io = 1;
    return is_mark(path) || is_disk(path) ? 0 : -ENOENT;
}

static int on_truncate(const char *path, off_t length, struct fuse_file_info *info)
{
    (void)length, (void)info;
    return is_mark(path) ? 0 : -EPERM;
}

static int on_read(const char *path, char *out, size_t length, off_t at, struct fuse_file_info *info)
{
    (void)info;
    if (!is_disk(path)) return 0;
    ssize_t n = pread(disk, out, length, at);
    return n < 0 ? -errno : (int)n;
}

static int on_write(const char *path, const char *bytes, size_t length, off_t at, struct fuse_file_info *info)
{
    (void)info;
    int error;
    if (is_mark(path)) error = note(0, bytes, length, MARK);
    else if (at % SECTOR || length % SECTOR || at + (off_t)length > size) error = -EINVAL;
    else {
        error = whole(disk, bytes, length, at);
        if (!error) error = note((uint64_t)at / SECTOR, bytes, length, 0);
    }
    return error ? error : (int)length;
}

static int on_fsync(const char *path, int is_data, struct fuse_file_info *info)
{
    (void)is_data, (void)info;
    return is_disk(path) ? note(0, NULL, 0, FLUSH) : 0;
}

static const struct fuse_operations operations = {
    .getattr = on_getattr, .open = on_open, .truncate = on_truncate,
    .read = on_read, .write = on_write, .fsync = on_fsync,
};

int main(int argc, char *argv[])
{
    if (argc != 4) { fprintf(stderr, "usage: logdisk IMAGE LOG MOUNTPOINT\n"); return 2; }
    struct stat st;
    disk = open(argv[1], O_RDWR | O_CLOEXEC);
    journal = open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (disk < 0 || journal < 0 || fstat(disk, &st) || count()) { perror("logdisk"); return 1; }
    size = st.st_size;
    char *arguments[] = {argv[0], "-f", "-s", argv[3], NULL};
    return fuse_main(4, arguments, &operations, NULL);
}
