/* http1_request: the gate, the codec and chunks with what a client could send. */
#include "http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 1)
        feed_all_ways(NULL, data[0], (const char *)data + 1, n - 1);
    return 0;
}
