/* config: the reader of publishd.yaml. What it refuses it explains; what it takes once it takes again. */
#define _GNU_SOURCE
#include "../../config/config.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    int fd = memfd_create("publishd.yaml", 0);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n)
        abort();
    char name[40];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    struct strbuf err = { 0 };
    struct config *c = config_read(name, &err);
    if (!c == !err.n) /* refused without a word, or taken with one */
        abort();
    config_free(c);
    buf_free(&err);
    close(fd);
    return 0;
}
