/* check: what a unit test counts, and how it tells. Each test program has counts of its own. */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H
#include "base/base.h"

#include <stdio.h>

enum { FAILURES_TOLD = 30 };
static int passed, failed;

/* check(ok, what) or check(ok, what, detail): detail (NULL: none) is what came, told where ok is not true. */
#define check(ok, ...) check_at(__FILE__, __LINE__, (ok), __VA_ARGS__, NULL)
#define CHECK(condition) check((condition), #condition)

static inline void check_at(const char *file, int line, bool ok, const char *what, const char *detail, ...)
{
    struct strbuf shown = { 0 };
    passed += ok;
    if (ok || failed++ >= FAILURES_TOLD)
        return;
    buf_visible(&shown, detail ? detail : "");
    printf("FAILED: %s:%d: %s%s%.2000s\n", file, line, what, shown.n ? ": " : "", shown.n ? shown.p : "");
    buf_free(&shown);
}

/* The program's last line and exit status. */
static inline int summary(const char *name)
{
    printf("%s: %d passed, %d failed\n", name, passed, failed);
    return failed != 0;
}
#endif
