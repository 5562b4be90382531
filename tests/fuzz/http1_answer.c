/* http1_answer: heads and bodies with what a server could send, to GET and to HEAD. */
#include "http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 2)
        feed_all_ways(data[1] == 'H' ? "HEAD" : "GET", data[0], (const char *)data + 2, n - 2);
    return 0;
}
