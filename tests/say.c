/* say: a CGI program that answers with JSON of what it got, for the published servers of tests/lab.py. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const char *got(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

/* A JSON string of n bytes: those of the environment are UTF-8, those of a body stand for one character each. */
static void say_text(FILE *to, const char *text, size_t n, int is_body)
{
    fputc('"', to);
    for (const unsigned char *at = (const unsigned char *)text; n--; at++)
        if (*at < 0x20 || *at == '"' || *at == '\\' || (is_body && *at >= 0x7f))
            fprintf(to, "\\u%04x", *at);
        else
            fputc(*at, to);
    fputc('"', to);
}

static void say(FILE *to, const char *key, const char *variable)
{
    fprintf(to, "\"%s\": ", key);
    say_text(to, got(variable), strlen(got(variable)), 0);
    fputs(", ", to);
}

/* HTTP_X_FIELD=value as "x-field": "value". */
static void say_fields(FILE *to)
{
    const char *between = "";
    for (char **at = environ; *at; at++) {
        const char *value = strchr(*at, '=');
        if (!value || strncmp(*at, "HTTP_", 5))
            continue;
        fprintf(to, "%s\"", between);
        for (const char *c = *at + 5; c < value; c++)
            fputc(*c == '_' ? '-' : tolower((unsigned char)*c), to);
        fputs("\": ", to);
        say_text(to, value + 1, strlen(value + 1), 0);
        between = ", ";
    }
}

/* The body: as long as is said, or to the end where its length was not known. */
static void read_body(FILE *to)
{
    long left = *got("HTTP_TRANSFER_ENCODING") ? -1 : strtol(got("CONTENT_LENGTH"), NULL, 10);
    for (int c; left && (c = getchar()) != EOF; left--)
        fputc(c, to);
}

int main(void)
{
    char *body = NULL, *answer = NULL;
    size_t body_length = 0, length = 0;
    FILE *from = open_memstream(&body, &body_length), *to = open_memstream(&answer, &length);
    if (!from || !to)
        return 1;
    read_body(from);
    fclose(from);
    fputc('{', to);
    say(to, "user", "REMOTE_USER");
    say(to, "type", "AUTH_TYPE");
    say(to, "method", "REQUEST_METHOD");
    say(to, "target", "REQUEST_URI");
    say(to, "port", "REMOTE_PORT");
    fputs("\"body\": ", to);
    say_text(to, body, body_length, 1);
    fputs(", \"headers\": {", to);
    say_fields(to);
    fputs("}}\n", to);
    fclose(to);
    printf("Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", length);
    if (strcmp(got("REQUEST_METHOD"), "HEAD"))
        fwrite(answer, 1, length, stdout);
    free(body);
    free(answer);
    return 0;
}
