/* spelling: letters and what they count as. */
#include "spelling.h"

/* U+00C0 to U+024F and U+1E00 to U+1EFF: the letter below the accents, a space where that is none of a to z (Unicode's
 * decompositions). */
enum { LATIN = 0xc0, MORE_LATIN = 0x1e00 };
static const char latin[] =
    "aaaaaa ceeeeiiii nooooo ouuuuy  aaaaaa ceeeeiiii nooooo ouuuuy yaaaaaaccccccccddddeeeeeeeeeegggggggg"
    "hhhhiiiiiiiii   jjkk llllll  llnnnnnn   oooooo  rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs        "
    "                        oo             uu                            aaiioouuuuuuuuuu aaaa    ggkkoo"
    "oo  j   gg  nnaa    aaaaeeeeiiiioooorrrruuuusstt  hh      aaeeooooooooyy                            ";
static const char more_latin[] =
    "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopppprrrrrrrrssss"
    "ssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwy s    aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeee"
    "iiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy      ";

/* Spaces, marks that combine with the letter before, and what is not seen at all. */
static bool is_nothing(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = { { ' ', ' ' },       { 0xa0, 0xa0 },     { 0xad, 0xad },     { 0x300, 0x36f },
                   { 0x2000, 0x200f }, { 0x202a, 0x202f }, { 0x205f, 0x206f }, { 0x20d0, 0x20f0 },
                   { 0x3000, 0x3000 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff } };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

static uint32_t folded(uint32_t c)
{
    char letter = ' ';
    if (c >= 0xff01 && c <= 0xff5e) /* of full width */
        c -= 0xff01 - '!';
    if (c >= LATIN && c - LATIN < sizeof latin - 1)
        letter = latin[c - LATIN];
    else if (c >= MORE_LATIN && c - MORE_LATIN < sizeof more_latin - 1)
        letter = more_latin[c - MORE_LATIN];
    if (letter != ' ')
        return (uint32_t)letter;
    bool greek = c >= 0x391 && c <= 0x3a9, cyrillic = c >= 0x410 && c <= 0x42f;
    return c < 0x80                   ? (uint32_t)ascii_lower((char)c)
           : greek || cyrillic        ? c + 0x20
           : c >= 0x400 && c <= 0x40f ? c + 0x50
                                      : c;
}

/* The character at p, of two or three bytes of UTF-8, and how many; 1 byte that is itself else. */
static uint32_t read_character(const unsigned char *p, size_t *n)
{
    bool second = p[0] >= 0xc2 && p[0] < 0xf0 && (p[1] & 0xc0) == 0x80;
    *n = !second ? 1 : p[0] < 0xe0 ? 2 : (p[2] & 0xc0) == 0x80 ? 3 : 1;
    return *n == 2   ? (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu)
           : *n == 3 ? (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu)
                     : p[0];
}

void spelling_of(const char *account, struct strbuf *out)
{
    const unsigned char *p = (const unsigned char *)account;
    for (size_t n; *p; p += n) {
        uint32_t c = read_character(p, &n), plain = n == 1 && c >= 0x80 ? c : folded(c);
        if (n > 1 || c < 0x80 ? is_nothing(c) : false)
            continue;
        if (plain < 0x80)
            buf_putc(out, (char)plain);
        else if (plain == c)
            buf_add(out, (const char *)p, n);
        else /* Greek and Cyrillic, of two bytes */
            buf_printf(out, "%c%c", (int)(0xc0 | plain >> 6), (int)(0x80 | (plain & 0x3f)));
    }
}
