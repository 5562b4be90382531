/* resumption: which key tickets are made with and which are taken, as time goes on and rings change. The clock is a number. */
#include "check.h"
#include "proxy/resumption.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { T0 = 1800000000 / RESUMPTION_PERIOD * RESUMPTION_PERIOD };

/* A ring with keys of one repeated digit each. */
static struct key_ring *ring(const char *digits)
{
    char file[] = "/tmp/test-resumption-XXXXXX";
    struct strbuf text = { 0 }, err = { 0 };
    for (; *digits; digits++) {
        for (int i = 0; i < SEAL_KEY * 2; i++)
            buf_putc(&text, *digits);
        buf_putc(&text, '\n');
    }
    int fd = mkstemp(file);
    struct key_ring *r = NULL;
    if (fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, text.p, text.n) == (ssize_t)text.n)
        r = key_ring_read(file, &err);
    if (!r)
        exit(2);
    close(fd);
    unlink(file);
    buf_free(&text);
    buf_free(&err);
    return r;
}

static struct resumption *with(const char *digits)
{
    struct key_ring *keys = ring(digits);
    struct resumption *r = resumption_new(keys);
    key_ring_free(keys);
    return r;
}

static bool same(const struct resumption_key *a, const struct resumption_key *b)
{
    return memcmp(a->name, b->name, sizeof a->name) == 0 && memcmp(a->cipher, b->cipher, sizeof a->cipher) == 0 &&
           memcmp(a->mac, b->mac, sizeof a->mac) == 0;
}

static void test_age(void)
{
    struct resumption *r = with("a");
    struct resumption_key made, now, got;
    check(resumption_key(r, T0, NULL, &made) == 1, "there is a key");
    check(memcmp(made.cipher, made.mac, sizeof made.mac) != 0 && memcmp(made.name, made.cipher, sizeof made.name) != 0,
          "its parts have nothing in common");
    check(resumption_key(r, T0 + RESUMPTION_PERIOD - 1, NULL, &now) == 1 && same(&made, &now),
          "it stays for its period");
    check(resumption_key(r, T0 + 1, made.name, &got) == 1 && same(&made, &got), "its tickets are taken");
    check(resumption_key(r, T0 + RESUMPTION_PERIOD, NULL, &now) == 1 && !same(&made, &now), "then comes another");
    check(resumption_key(r, T0 + 2 * RESUMPTION_PERIOD - 1, made.name, &got) == 2 && same(&made, &got),
          "a period long the old one's tickets are taken, and new ones are given");
    check(resumption_key(r, T0 + 2 * RESUMPTION_PERIOD, made.name, &got) == 0, "and then not any more");
    check(resumption_key(r, T0 - 1, made.name, &got) == 2 && same(&made, &got),
          "a clock that is behind takes them too");
    check(resumption_key(r, T0 - RESUMPTION_PERIOD - 1, made.name, &got) == 0, "but not one that is far behind");
    resumption_free(r);
}

static void test_rings(void)
{
    struct resumption *a = with("a"), *again = with("a"), *added = with("ab"), *moved = with("ba"), *b = with("b");
    struct resumption_key of_a, of_b, got;
    resumption_key(a, T0, NULL, &of_a);
    resumption_key(b, T0, NULL, &of_b);
    check(!same(&of_a, &of_b), "two rings have two keys");
    check(resumption_key(again, T0, NULL, &got) == 1 && same(&of_a, &got), "who has the same ring has the same key");
    check(resumption_key(added, T0, NULL, &got) == 1 && same(&of_a, &got), "the first key makes tickets");
    check(resumption_key(added, T0, of_b.name, &got) == 2 && same(&of_b, &got), "every key takes them");
    check(resumption_key(moved, T0, of_a.name, &got) == 2 && same(&of_a, &got), "also the one that was first");
    check(resumption_key(moved, T0, NULL, &got) == 1 && same(&of_b, &got), "whichever that is now");
    check(resumption_key(b, T0, of_a.name, &got) == 0, "one that is removed takes none");
    resumption_free(a);
    resumption_free(again);
    resumption_free(added);
    resumption_free(moved);
    resumption_free(b);
}

int main(void)
{
    test_age();
    test_rings();
    return summary("resumption");
}
