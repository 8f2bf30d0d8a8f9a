// gpiofuse: a model of /sys/class/gpio with edge interrupts, for tests on a machine without GPIO. Mounted there with FUSE:
//   gpiofuse -f /sys/class/gpio
// One chip as on a Raspberry Pi: base 512, 54 lines named GPIO0 to GPIO53 in its devicetree, label pinctrl-bcm2835.
// The other end of the wires is in ctl/: ctl/<line> drives an input or reads an output (0 or 1), ctl/chip unloads the chip (0)
// and loads it again (1). It is written from the kernel's documentation of the ABI, it is not the kernel: the same tests have
// to pass on a real kernel as well.
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fuse3/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES 54
#define BASE 512
#define CHIP "gpiochip512"
#define LABEL "pinctrl-bcm2835\n"

enum kind { NONE, DIR_ROOT, DIR_CTL, DIR_CHIP, DIR_DEVICE, DIR_NODE, DIR_LINE, EXPORT, UNEXPORT, CHIP_BASE, CHIP_NGPIO,
            CHIP_LABEL, CHIP_NAMES, CTL_CHIP, CTL_LINE, VALUE, DIRECTION, EDGE, ACTIVE_LOW };
enum edge { EDGE_NONE = 0, EDGE_RISING = 1, EDGE_FALLING = 2, EDGE_BOTH = 3 };

// Every open file of a value sees edges for itself, as in kernfs: one is pending until this file is read.
struct handle {
    struct handle *next;
    int line;
    unsigned life;   // of the line when it was opened; a line that was exported anew is another one
    unsigned seen;   // edges of the line at the last read
    struct fuse_pollhandle *poller;
};

static struct line {
    int exported, output, level, active_low;
    enum edge edge;
    unsigned life, edges;
} lines[LINES];
static int chip_is_there = 1;
static struct handle *handles;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *const edge_names[] = {"none", "rising", "falling", "both"};

static const struct { const char *path; enum kind kind; int of_chip; } fixed[] = {
    {"/", DIR_ROOT, 0}, {"/export", EXPORT, 0}, {"/unexport", UNEXPORT, 0},
    {"/ctl", DIR_CTL, 0}, {"/ctl/chip", CTL_CHIP, 0},
    {"/" CHIP, DIR_CHIP, 1}, {"/" CHIP "/base", CHIP_BASE, 1}, {"/" CHIP "/ngpio", CHIP_NGPIO, 1},
    {"/" CHIP "/label", CHIP_LABEL, 1}, {"/" CHIP "/device", DIR_DEVICE, 1}, {"/" CHIP "/device/of_node", DIR_NODE, 1},
    {"/" CHIP "/device/of_node/gpio-line-names", CHIP_NAMES, 1}};

static enum kind resolve(const char *path, int *line)
{
    static const struct { const char *name; enum kind kind; } attributes[] = {
        {"", DIR_LINE}, {"/value", VALUE}, {"/direction", DIRECTION}, {"/edge", EDGE}, {"/active_low", ACTIVE_LOW}};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (!strcmp(path, fixed[i].path)) return fixed[i].of_chip && !chip_is_there ? NONE : fixed[i].kind;
    int end = 0;
    if (sscanf(path, "/ctl/%d%n", line, &end) == 1 && end && !path[end])
        return *line >= 0 && *line < LINES ? CTL_LINE : NONE;
    end = 0;
    if (sscanf(path, "/gpio%d%n", line, &end) != 1 || !end) return NONE;
    *line -= BASE;
    if (*line < 0 || *line >= LINES || !lines[*line].exported) return NONE;
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (!strcmp(path + end, attributes[i].name)) return attributes[i].kind;
    return NONE;
}

static int get_attributes(const char *path, struct stat *st, struct fuse_file_info *fi)
{
    (void)fi;
    int line;
    pthread_mutex_lock(&lock);
    enum kind kind = resolve(path, &line);
    pthread_mutex_unlock(&lock);
    memset(st, 0, sizeof *st);
    if (kind == NONE) return -ENOENT;
    int directory = kind <= DIR_LINE;
    st->st_mode = directory ? S_IFDIR | 0755 : S_IFREG | 0664;
    st->st_nlink = directory ? 2 : 1;
    st->st_size = directory ? 0 : 4096;
    return 0;
}

static int read_directory(const char *path, void *buf, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *fi,
                          enum fuse_readdir_flags flags)
{
    (void)offset; (void)fi; (void)flags;
    size_t length = strlen(path);
    fill(buf, ".", 0, 0, 0);
    fill(buf, "..", 0, 0, 0);
    pthread_mutex_lock(&lock);
    for (size_t i = 1; i < sizeof fixed / sizeof *fixed; i++) {
        const char *slash = strrchr(fixed[i].path, '/');
        size_t parent = slash == fixed[i].path ? 1 : (size_t)(slash - fixed[i].path);
        if (parent != length || strncmp(fixed[i].path, path, length)) continue;
        if (!fixed[i].of_chip || chip_is_there) fill(buf, slash + 1, 0, 0, 0);
    }
    for (int i = 0; !strcmp(path, "/") && i < LINES; i++) {
        char name[32];
        snprintf(name, sizeof name, "gpio%d", BASE + i);
        if (lines[i].exported) fill(buf, name, 0, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

static int open_file(const char *path, struct fuse_file_info *fi)
{
    int line = -1;
    struct handle *handle = calloc(1, sizeof *handle);
    if (!handle) return -ENOMEM;
    pthread_mutex_lock(&lock);
    enum kind kind = resolve(path, &line);
    handle->line = kind >= VALUE ? line : -1;
    if (handle->line >= 0) {
        handle->life = lines[line].life;
        handle->seen = lines[line].edges;
    }
    handle->next = handles;
    handles = handle;
    pthread_mutex_unlock(&lock);
    fi->fh = (uint64_t)(uintptr_t)handle;
    fi->direct_io = 1;
    return 0;
}

static struct handle *handle_of(struct fuse_file_info *fi) { return (struct handle *)(uintptr_t)fi->fh; }

static int release_file(const char *path, struct fuse_file_info *fi)
{
    (void)path;
    struct handle *handle = handle_of(fi);
    pthread_mutex_lock(&lock);
    for (struct handle **at = &handles; *at; at = &(*at)->next)
        if (*at == handle) { *at = handle->next; break; }
    pthread_mutex_unlock(&lock);
    if (handle->poller) fuse_pollhandle_destroy(handle->poller);
    free(handle);
    return 0;
}

// A file that was open when its line went away: every use of it is ENODEV from then on.
static int is_stale(const struct handle *handle)
{
    return handle->line >= 0 && (!lines[handle->line].exported || lines[handle->line].life != handle->life);
}

static size_t line_names(char *text)
{
    char *end = text;
    for (int i = 0; i < LINES; i++) end += sprintf(end, "GPIO%d", i) + 1; // each one with its NUL
    return end - text;
}

static int read_file(const char *path, char *buf, size_t size, off_t offset, struct fuse_file_info *fi)
{
    char text[LINES * 8] = "";
    int line;
    size_t length = 0;
    struct handle *handle = handle_of(fi);
    pthread_mutex_lock(&lock);
    enum kind kind = is_stale(handle) ? NONE : resolve(path, &line);
    switch (kind) {
    case CHIP_BASE: sprintf(text, "%d\n", BASE); break;
    case CHIP_NGPIO: sprintf(text, "%d\n", LINES); break;
    case CHIP_LABEL: strcpy(text, LABEL); break;
    case CHIP_NAMES: length = line_names(text); break;
    case CTL_CHIP: sprintf(text, "%d\n", chip_is_there); break;
    case CTL_LINE: sprintf(text, "%d\n", lines[line].level); break;
    case VALUE:
        sprintf(text, "%d\n", lines[line].level ^ lines[line].active_low);
        handle->seen = lines[line].edges;
        break;
    case DIRECTION: strcpy(text, lines[line].output ? "out\n" : "in\n"); break;
    case EDGE: sprintf(text, "%s\n", edge_names[lines[line].edge]); break;
    case ACTIVE_LOW: sprintf(text, "%d\n", lines[line].active_low); break;
    default: break;
    }
    pthread_mutex_unlock(&lock);
    if (kind == NONE) return -ENODEV;
    if (!length) length = strlen(text);
    if ((size_t)offset >= length) return 0;
    if (size > length - offset) size = length - offset;
    memcpy(buf, text + offset, size);
    return size;
}

// Wakes whoever polls a line; with the lock held.
static void notify(int line)
{
    for (struct handle *handle = handles; handle; handle = handle->next) {
        if (handle->line != line || !handle->poller) continue;
        fuse_notify_poll(handle->poller);
        fuse_pollhandle_destroy(handle->poller);
        handle->poller = NULL;
    }
}

static void drive_input(int line, int level)
{
    struct line *l = &lines[line];
    int old = l->level;
    l->level = level;
    // With active_low the kernel swaps the edges; the electrical one is what happened here.
    int edge = level ^ l->active_low ? EDGE_RISING : EDGE_FALLING;
    if (old == level || !(l->edge & edge)) return;
    l->edges++;
    notify(line);
}

static void free_line(int line)
{
    struct line *l = &lines[line];
    l->exported = 0;
    l->output = 0;
    l->active_low = 0;
    l->edge = EDGE_NONE;
    l->life++;
    notify(line);
}

static int export_line(enum kind kind, int number)
{
    int line = number - BASE;
    if (!chip_is_there || line < 0 || line >= LINES) return -EINVAL; // what a raw BCM number gets
    if (kind == EXPORT && lines[line].exported) return -EBUSY;
    if (kind == UNEXPORT && !lines[line].exported) return -EINVAL;
    if (kind == EXPORT) lines[line].exported = 1; else free_line(line);
    return 0;
}

static int set_edge(int line, const char *text)
{
    for (int i = 0; i < 4; i++) {
        if (strncmp(text, edge_names[i], strlen(edge_names[i]))) continue;
        lines[line].edge = i;
        return 0;
    }
    return -EINVAL;
}

static int set_direction(int line, const char *text)
{
    struct line *l = &lines[line];
    if (!strncmp(text, "in", 2)) { l->output = 0; return 0; }
    int high = !strncmp(text, "high", 4);
    if (!high && strncmp(text, "low", 3) && strncmp(text, "out", 3)) return -EINVAL;
    l->output = 1;
    l->level = high; // the electrical level, whatever active_low says; "out" begins low
    return 0;
}

static int write_file(const char *path, const char *buf, size_t size, off_t offset, struct fuse_file_info *fi)
{
    (void)offset;
    char text[32] = "";
    memcpy(text, buf, size < 31 ? size : 31);
    int line, result = 0, number = atoi(text);
    struct handle *handle = handle_of(fi);
    pthread_mutex_lock(&lock);
    enum kind kind = is_stale(handle) ? NONE : resolve(path, &line);
    switch (kind) {
    case EXPORT:
    case UNEXPORT: result = export_line(kind, number); break;
    case CTL_CHIP:
        chip_is_there = number != 0;
        for (int i = 0; !chip_is_there && i < LINES; i++) free_line(i);
        break;
    case CTL_LINE:
        if (lines[line].output) result = -EPERM; else drive_input(line, number != 0);
        break;
    case VALUE:
        if (!lines[line].output) result = -EPERM; else lines[line].level = (number != 0) ^ lines[line].active_low;
        break;
    case DIRECTION: result = set_direction(line, text); break;
    case EDGE: result = set_edge(line, text); break;
    case ACTIVE_LOW: lines[line].active_low = number != 0; break;
    case NONE: result = -ENODEV; break;
    default: result = -EINVAL;
    }
    pthread_mutex_unlock(&lock);
    return result ? result : (int)size;
}

static int truncate_file(const char *path, off_t length, struct fuse_file_info *fi)
{
    (void)path; (void)length; (void)fi;
    return 0;
}

static int poll_file(const char *path, struct fuse_file_info *fi, struct fuse_pollhandle *poller, unsigned *events)
{
    int line;
    struct handle *handle = handle_of(fi);
    pthread_mutex_lock(&lock);
    enum kind kind = resolve(path, &line);
    if (poller) {
        if (handle->poller) fuse_pollhandle_destroy(handle->poller);
        handle->poller = poller;
    }
    if (is_stale(handle)) *events = POLLIN | POLLOUT | POLLPRI | POLLERR; // as kernfs: a file that is gone is always ready
    else if (kind == VALUE) *events = handle->seen != lines[line].edges ? POLLPRI | POLLERR : 0;
    else *events = POLLIN | POLLOUT;
    pthread_mutex_unlock(&lock);
    return 0;
}

static void *init(struct fuse_conn_info *connection, struct fuse_config *config)
{
    (void)connection;
    config->attr_timeout = config->entry_timeout = config->negative_timeout = 0;
    config->direct_io = 1;
    // Files whose line went away stay open under their name; libfuse must not look for another one.
    config->hard_remove = 1;
    return NULL;
}

static const struct fuse_operations operations = {
    .init = init, .getattr = get_attributes, .readdir = read_directory, .open = open_file, .release = release_file,
    .read = read_file, .write = write_file, .truncate = truncate_file, .poll = poll_file};

int main(int argc, char **argv) { return fuse_main(argc, argv, &operations, NULL); }
