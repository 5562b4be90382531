/* names_file: reads a --names file; see the header. */
#include "names_file.h"

#include <string.h>
#include <yaml.h>

struct names_file {
    const char *file;
    struct xml_names *names;
    struct strbuf *err;
    yaml_parser_t yaml;
    yaml_event_t event;
    bool failed;
};

static void fail(struct names_file *f, size_t line, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void fail(struct names_file *f, size_t line, const char *fmt, ...)
{
    va_list ap;
    buf_printf(f->err, "%s:%zu: ", f->file, line + 1);
    va_start(ap, fmt);
    buf_vprintf(f->err, fmt, ap);
    va_end(ap);
    buf_putc(f->err, '\n');
    f->failed = true;
}

/* The next event; false at the end and at an error. */
static bool next(struct names_file *f)
{
    yaml_event_delete(&f->event);
    if (yaml_parser_parse(&f->yaml, &f->event))
        return f->event.type != YAML_STREAM_END_EVENT;
    fail(f, f->yaml.problem_mark.line, "%s", f->yaml.problem ? f->yaml.problem : "not YAML");
    return false;
}

static char *scalar(struct arena *a, const struct names_file *f)
{
    return arena_strndup(a, (const char *)f->event.data.scalar.value, f->event.data.scalar.length);
}

static void add(struct names_file *f, struct arena *a, const char *key, const char *element)
{
    const char *slash = strchr(key, '/'), *property = slash ? slash + 1 : key;
    int object = -1;
    for (int i = 0; slash && i < SETTING_OBJECTS; i++)
        if (ascii_casecmp(setting_object_names[i], arena_strndup(a, key, (size_t)(slash - key))) == 0)
            object = i;
    if ((slash && object < 0) || !xml_names_alias(f->names, object, property, element))
        fail(f, f->event.start_mark.line, "there is no setting \"%s\"; `tmgc capabilities` lists them", key);
}

static void read_value(struct names_file *f, struct arena *a, const char *key)
{
    bool list = f->event.type == YAML_SEQUENCE_START_EVENT;
    if (!list && f->event.type != YAML_SCALAR_EVENT) {
        fail(f, f->event.start_mark.line, "\"%s\" needs an element name or a list of them", key);
        return;
    }
    if (!list) {
        add(f, a, key, scalar(a, f));
        return;
    }
    while (!f->failed && next(f) && f->event.type == YAML_SCALAR_EVENT)
        add(f, a, key, scalar(a, f));
    if (!f->failed && f->event.type != YAML_SEQUENCE_END_EVENT)
        fail(f, f->event.start_mark.line, "\"%s\" needs an element name or a list of them", key);
}

static void read_mapping(struct names_file *f, struct arena *a)
{
    while (!f->failed && next(f) && f->event.type == YAML_SCALAR_EVENT) {
        const char *key = scalar(a, f);
        if (next(f))
            read_value(f, a, key);
    }
    if (!f->failed && f->event.type != YAML_MAPPING_END_EVENT)
        fail(f, f->event.start_mark.line, "expected the name of a setting");
}

int names_file_read(const char *file, struct xml_names *names, struct strbuf *err)
{
    struct names_file f = { .file = file, .names = names, .err = err };
    struct strbuf text = { 0 };
    if (file_read(file, (size_t)1 << 20, &text, err))
        return -1;
    if (!yaml_parser_initialize(&f.yaml))
        mem_fatal();
    yaml_parser_set_input_string(&f.yaml, (const unsigned char *)text.p, text.n);
    struct arena *a = arena_new();
    while (!f.failed && next(&f)) {
        bool frame = f.event.type == YAML_STREAM_START_EVENT || f.event.type == YAML_DOCUMENT_START_EVENT ||
                     f.event.type == YAML_DOCUMENT_END_EVENT;
        if (f.event.type == YAML_MAPPING_START_EVENT)
            read_mapping(&f, a);
        else if (!frame)
            fail(&f, f.event.start_mark.line, "a names file is a mapping from settings to element names");
    }
    yaml_event_delete(&f.event);
    yaml_parser_delete(&f.yaml);
    arena_free(a);
    buf_free(&text);
    return f.failed ? -1 : 0;
}
