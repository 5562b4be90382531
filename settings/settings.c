/* settings: the table's rows, and `tmgc capabilities`, which prints them. */
#include "settings.h"

#include <string.h>

const struct setting settings[SETTINGS] = {
#define S(id, object, names, type, dflt, from, policy, n, h, p, finding, note)                                         \
    { object, names, type, dflt, from, policy, { n, h, p }, finding, note, #id },
#include "settings.def"
#undef S
};

const char *const setting_object_names[SETTING_OBJECTS] = {
    [OBJ_ROOT] = "Root",
    [OBJ_RULE] = "PolicyRule",
    [OBJ_WEB] = "WebPublishingProperties",
    [OBJ_SERVER_PUBLISHING] = "ServerPublishingProperties",
    [OBJ_ACCESS] = "AccessProperties",
    [OBJ_SOURCES] = "SourceSelectionIPs",
    [OBJ_PATH] = "PathMapping",
    [OBJ_BALANCING] = "LoadBalancingConfig",
    [OBJ_LISTENER] = "WebListener",
    [OBJ_LISTENER_PROPERTIES] = "WebListenerProperties",
    [OBJ_LISTEN_ON] = "IPOnNetwork",
    [OBJ_CERTIFICATE] = "AppliedSSLCertificate",
    [OBJ_FORMS] = "FormsBasedAuthenticationProperties",
    [OBJ_SCHEME] = "AuthenticationScheme",
    [OBJ_FARM] = "ServerFarm",
    [OBJ_MEMBER] = "PublishedServer",
    [OBJ_VERIFIER] = "ConnectivityVerifier",
    [OBJ_NETWORK] = "Network",
    [OBJ_ADDRESSES] = "Addresses",
    [OBJ_SCHEDULE] = "ProxyScheduleTemplate",
    [OBJ_USER_SET] = "UserSet",
    [OBJ_ACCOUNT] = "Account",
    [OBJ_REF] = "Ref",
    [OBJ_VENDOR] = "VendorParametersSet",
    [OBJ_PROTOCOL] = "Protocol",
    [OBJ_LINK] = "ExplicitLinkTranslationMapping",
    [OBJ_CONNECTION] = "ProtocolConnection",
    [OBJ_NETWORK_RULE] = "NetworkRule",
    [OBJ_COMPRESSION] = "HTTPCompressionConfiguration",
    [OBJ_CONTENT_TYPES] = "ContentTypeSet",
};
const char *const fate_names[5] = { "exact", "differs", "lost", "closed", "none" };

bool setting_varies(enum setting_id id)
{
    for (size_t t = 0; t < TARGETS; t++)
        if (settings[id].on[t] != EXACT && settings[id].on[t] != NONE)
            return true;
    return false;
}

static const char *const type_names[] = {
    [TYPE_STRING] = "string", [TYPE_INT] = "int",         [TYPE_BOOL] = "bool",
    [TYPE_HEX] = "hex",       [TYPE_STRINGS] = "strings", [TYPE_REF] = "ref",
    [TYPE_REFS] = "refs",     [TYPE_OBJECT] = "object",   [TYPE_OBJECTS] = "objects",
};

/* ---- the cells of one row, the same for every format ------------------------------------------------------ */
enum {
    CELL_SETTING,
    CELL_TYPE,
    CELL_DEFAULT,
    CELL_POLICY,
    CELL_NGINX,
    CELL_HAPROXY,
    CELL_PUBLISHD,
    CELL_FINDING,
    CELL_NOTE,
    CELLS
};
static const char *const titles[CELLS] = { "setting", "type",     "default", "policy", "nginx",
                                           "haproxy", "publishd", "finding", "note" };

static bool shown(size_t cell, int target)
{
    return cell < CELL_NGINX || cell > CELL_PUBLISHD || target < 0 || cell == CELL_NGINX + (size_t)target;
}

static void cell_text(struct strbuf *b, const struct setting *s, size_t cell)
{
    buf_clear(b);
    switch (cell) {
    case CELL_SETTING:
        buf_printf(b, "%s/", setting_object_names[s->object]);
        buf_add(b, s->names, strcspn(s->names, "|"));
        break;
    case CELL_TYPE: buf_puts(b, type_names[s->type]); break;
    case CELL_DEFAULT: buf_puts(b, s->dflt && *s->dflt ? s->dflt : "-"); break;
    case CELL_POLICY: buf_puts(b, s->policy ? s->policy : "-"); break;
    case CELL_FINDING:
        if (s->finding >= 0)
            buf_printf(b, "TMG%u", finding_kinds[s->finding].code);
        else
            buf_putc(b, '-');
        break;
    case CELL_NOTE: buf_puts(b, s->note); break;
    default: buf_puts(b, fate_names[s->on[cell - CELL_NGINX]]); break;
    }
}

static void add_padded(struct strbuf *out, const char *s, size_t width)
{
    buf_puts(out, s);
    for (size_t n = strlen(s); n < width; n++)
        buf_putc(out, ' ');
}

static void write_text(struct strbuf *out, int target)
{
    struct strbuf cell = { 0 };
    size_t width[CELLS];
    for (size_t c = 0; c < CELLS; c++) {
        width[c] = strlen(titles[c]);
        for (size_t i = 0; i < SETTINGS; i++) {
            cell_text(&cell, &settings[i], c);
            if (cell.n > width[c])
                width[c] = cell.n;
        }
    }
    for (size_t i = 0; i <= SETTINGS; i++) /* row 0 is the heading */
        for (size_t c = 0; c < CELLS; c++) {
            if (!shown(c, target))
                continue;
            if (i)
                cell_text(&cell, &settings[i - 1], c);
            add_padded(out, i ? cell.p : titles[c], c == CELL_NOTE ? 0 : width[c] + 2);
            if (c == CELL_NOTE)
                buf_putc(out, '\n');
        }
    buf_free(&cell);
}

static void write_markdown(struct strbuf *out, int target)
{
    struct strbuf cell = { 0 };
    for (size_t c = 0; c < CELLS; c++)
        if (shown(c, target))
            buf_printf(out, "| %s ", titles[c]);
    buf_puts(out, "|\n");
    for (size_t c = 0; c < CELLS; c++)
        if (shown(c, target))
            buf_puts(out, "| --- ");
    buf_puts(out, "|\n");
    for (size_t i = 0; i < SETTINGS; i++) {
        for (size_t c = 0; c < CELLS; c++) {
            if (!shown(c, target))
                continue;
            cell_text(&cell, &settings[i], c);
            buf_puts(out, "| ");
            for (const char *s = cell.p; *s; s++) { /* these would end the cell or begin emphasis or a tag */
                if (strchr("|*<_", *s))
                    buf_putc(out, '\\');
                buf_putc(out, *s);
            }
            buf_putc(out, ' ');
        }
        buf_puts(out, "|\n");
    }
    buf_free(&cell);
}

static void json_pair(struct strbuf *out, const char *key, const char *value, const char *end)
{
    buf_printf(out, "\"%s\": ", key);
    if (value)
        buf_json(out, value);
    else
        buf_puts(out, "null");
    buf_puts(out, end);
}

static void json_names(struct strbuf *out, const char *names)
{
    struct strbuf one = { 0 };
    buf_puts(out, "\"names\": [");
    for (const char *s = names; *s; s += *s == '|') {
        size_t n = strcspn(s, "|");
        buf_clear(&one);
        buf_add(&one, s, n);
        buf_puts(out, s == names ? "" : ", ");
        buf_json(out, one.p);
        s += n;
    }
    buf_puts(out, "], ");
    buf_free(&one);
}

static void write_json(struct strbuf *out, int target)
{
    buf_puts(out, "[\n");
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        buf_puts(out, "  {");
        json_pair(out, "object", setting_object_names[s->object], ", ");
        json_names(out, s->names);
        json_pair(out, "type", type_names[s->type], ", ");
        json_pair(out, "default", s->dflt, ", ");
        json_pair(out, "default_from", s->dflt_from, ", ");
        json_pair(out, "policy", s->policy, ", ");
        buf_puts(out, "\"targets\": {");
        const char *comma = "";
        for (size_t t = 0; t < TARGETS; t++)
            if (target < 0 || t == (size_t)target) {
                buf_puts(out, comma);
                json_pair(out, target_names[t], fate_names[s->on[t]], "");
                comma = ", ";
            }
        buf_puts(out, "}, ");
        if (s->finding >= 0)
            buf_printf(out, "\"finding\": \"TMG%u\", ", finding_kinds[s->finding].code);
        else
            buf_puts(out, "\"finding\": null, ");
        json_pair(out, "note", s->note, i + 1 < SETTINGS ? "},\n" : "}\n");
    }
    buf_puts(out, "]\n");
}

/* What the words of the table mean; lines of at most 120 characters. */
static const char *const legend[] = {
    "exact: as in the source. differs: with a residue that the finding states. lost: not at all; the finding says so.",
    "closed: the rule answers 403 there until the finding is accepted. none: no effect, and the note says why.",
    "The worst that a setting can come to is shown. Where it asks for nothing that the target lacks there is no finding,",
    "and a report's ledger counts it as translated.",
    "publishd: what publishd.yaml carries, under the name in the column policy.",
};

static void write_legend(struct strbuf *out)
{
    for (size_t i = 0; i < sizeof legend / sizeof *legend; i++)
        buf_printf(out, "%s\n", legend[i]);
}

void capabilities_write(struct strbuf *out, int target, const char *format)
{
    if (str_equal(format, "json")) {
        write_json(out, target);
    } else if (str_equal(format, "markdown")) {
        write_legend(out);
        buf_putc(out, '\n');
        write_markdown(out, target);
    } else {
        write_text(out, target);
        buf_putc(out, '\n');
        write_legend(out);
    }
}
