// i2cshim.so (LD_PRELOAD): /dev/i2c-N served from files, for tests on a machine without I2C.
// $RIG_I2C/<bus>/<address in hex> holds the 256 registers of a chip. The harness reads and writes that file; renaming it
// unplugs the chip (ENXIO), renaming the directory unloads the bus. SMBus, plain I2C and I2C_RDWR. Registers are plain
// memory with a pointer that moves on, like those of the kernel's i2c-stub: no FIFO, no bits that clear themselves.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDS 4096
static struct { ino_t inode; int bus, address; unsigned char pointer; } handles[FDS];
#define NEXT(type, name) static type; if (!next) next = dlsym(RTLD_NEXT, name)
#define OURS(fd) is_ours(fd)

// Behind each descriptor is a memory file of its own. Its inode is compared at every use, because not everybody who closes
// a descriptor does it through a function that can be preloaded, and the next file may get the same number.
static int is_ours(int fd)
{
    struct stat st;
    if (fd < 0 || fd >= FDS || !handles[fd].inode) return 0;
    if (!fstat(fd, &st) && st.st_ino == handles[fd].inode) return 1;
    handles[fd].inode = 0;
    return 0;
}

static int real_open(const char *path, int flags)
{
    NEXT(int (*next)(const char *, int, ...), "open");
    return next(path, flags);
}
static unsigned char *map_registers(int bus, int address)
{
    char path[512];
    const char *directory = getenv("RIG_I2C");
    snprintf(path, sizeof path, "%s/%d/%02x", directory ? directory : "", bus, address);
    int fd = real_open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) { errno = ENXIO; return NULL; }
    void *registers = mmap(NULL, 256, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (registers == MAP_FAILED) { errno = EIO; return NULL; }
    return registers;
}
static int open_device(const char *name, const char *path, int flags, mode_t mode)
{
    int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
    int bus;
    char rest;
    if (!path || sscanf(path, "/dev/i2c-%d%c", &bus, &rest) != 1) return next(path, flags, mode);
    char directory[512];
    snprintf(directory, sizeof directory, "%s/%d", getenv("RIG_I2C") ? getenv("RIG_I2C") : "", bus);
    if (access(directory, F_OK)) { errno = ENOENT; return -1; }
    struct stat st;
    int fd = memfd_create("i2c", MFD_CLOEXEC);
    if (fd < 0 || fd >= FDS || fstat(fd, &st)) { errno = EMFILE; return -1; }
    handles[fd].inode = st.st_ino;
    handles[fd].bus = bus;
    handles[fd].address = -1;
    return fd;
}
#define DEFINE_OPEN(name) \
    int name(const char *path, int flags, ...) \
    { va_list list; va_start(list, flags); mode_t mode = va_arg(list, int); va_end(list); \
      return open_device(#name, path, flags, mode); }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

/** One message to or from a chip: a write sets the register pointer with its first byte. */
static int transfer(int fd, int address, int reading, unsigned char *bytes, size_t count)
{
    unsigned char *registers = map_registers(handles[fd].bus, address);
    if (!registers) return -1;
    unsigned char *pointer = &handles[fd].pointer;
    if (reading) for (size_t i = 0; i < count; i++) bytes[i] = registers[(*pointer)++];
    else if (count) {
        *pointer = bytes[0];
        for (size_t i = 1; i < count; i++) registers[(*pointer)++] = bytes[i];
    }
    munmap(registers, 256);
    return 0;
}
#define DEFINE_READ(name, ...) \
    ssize_t name(int fd, void *buf, size_t count __VA_OPT__(, off_t at)) \
    { NEXT(ssize_t (*next)(int, void *, size_t __VA_OPT__(, off_t)), #name); \
      if (!OURS(fd)) return next(fd, buf, count __VA_OPT__(, at)); \
      return transfer(fd, handles[fd].address, 1, buf, count) ? -1 : (ssize_t)count; }
#define DEFINE_WRITE(name, ...) \
    ssize_t name(int fd, const void *buf, size_t count __VA_OPT__(, off_t at)) \
    { NEXT(ssize_t (*next)(int, const void *, size_t __VA_OPT__(, off_t)), #name); \
      if (!OURS(fd)) return next(fd, buf, count __VA_OPT__(, at)); \
      return transfer(fd, handles[fd].address, 0, (unsigned char *)buf, count) ? -1 : (ssize_t)count; }
DEFINE_READ(read)
DEFINE_WRITE(write)
DEFINE_READ(pread64, at) // what i2cReadSync and i2cWriteSync of i2c-bus end up in
DEFINE_WRITE(pwrite64, at)

static int smbus(int fd, struct i2c_smbus_ioctl_data *d)
{
    unsigned char *registers = map_registers(handles[fd].bus, handles[fd].address);
    if (!registers) return -1;
    unsigned char at = d->command;
    int reading = d->read_write, result = 0;
    switch (d->size) {
    case I2C_SMBUS_QUICK: break;
    case I2C_SMBUS_BYTE:
        if (reading) d->data->byte = registers[handles[fd].pointer++]; else handles[fd].pointer = at;
        break;
    case I2C_SMBUS_BYTE_DATA:
        if (reading) d->data->byte = registers[at]; else registers[at] = d->data->byte;
        break;
    case I2C_SMBUS_WORD_DATA:
        if (reading) d->data->word = registers[at] | registers[(unsigned char)(at + 1)] << 8;
        else { registers[at] = d->data->word; registers[(unsigned char)(at + 1)] = d->data->word >> 8; }
        break;
    case I2C_SMBUS_I2C_BLOCK_DATA:
    case I2C_SMBUS_I2C_BLOCK_BROKEN:
        if (d->data->block[0] > 32) { errno = EINVAL; result = -1; break; }
        for (int i = 1; i <= d->data->block[0]; i++, at++) {
            if (reading) d->data->block[i] = registers[at]; else registers[at] = d->data->block[i];
        }
        break;
    default: errno = EOPNOTSUPP; result = -1;
    }
    munmap(registers, 256);
    return result;
}
int ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    NEXT(int (*next)(int, unsigned long, ...), "ioctl");
    if (!OURS(fd)) return next(fd, request, argument);
    switch (request) {
    case I2C_FUNCS: *(unsigned long *)argument = I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL; return 0;
    case I2C_SLAVE:
    case I2C_SLAVE_FORCE: handles[fd].address = (long)argument; return 0;
    case I2C_PEC:
    case I2C_TIMEOUT:
    case I2C_RETRIES:
    case I2C_TENBIT: return 0;
    case I2C_SMBUS: return smbus(fd, argument);
    case I2C_RDWR: {
        struct i2c_rdwr_ioctl_data *d = argument;
        for (unsigned i = 0; i < d->nmsgs; i++) {
            struct i2c_msg *m = &d->msgs[i];
            if (transfer(fd, m->addr, m->flags & I2C_M_RD, m->buf, m->len)) return -1;
        }
        return d->nmsgs;
    }
    default: errno = ENOTTY; return -1;
    }
}
