/* lab_auth: calls auth/ for the tests in the lab (tests/suite/lab_auth.py). Usage: lab_auth KEY=VALUE… ; commands come on
 * standard input, a line each with tabs between words; each gives one line of JSON. */
#include "auth/accept.h"
#include "auth/delegate.h"
#include "auth/token.h"
#include "auth/users.h"
#include "auth/validate.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static struct auth *auth;
static struct arena *forever;

/* ---- settings ------------------------------------------------------------------------------------------------ */
static void setting(struct sign_in *s, const char *key, const char *value)
{
    static const char *const checks[] = { "file", "kerberos", "ldap", "winbind" };
    const struct {
        const char *key;
        const char **to;
    } texts[] = {
        { "password_file", &s->passwords }, { "krb5_conf", &s->kerberos.config },
        { "keytab", &s->kerberos.keytab },  { "principal", &s->kerberos.principal },
        { "ntlm_file", &s->ntlm_users },    { "ldap_trust", &s->ldap.trust },
        { "ldap_base", &s->ldap.base },     { "ldap_user", &s->ldap.user },
        { "ldap_secret", &s->ldap.secret }, { "radius_secret", &s->radius.secret },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strcmp(key, texts[i].key))
            *texts[i].to = value;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (!strcmp(key, "ad") && !strcmp(value, checks[i]))
            s->ad = (enum ad_check)i;
    if (!strcmp(key, "ldap"))
        vec_add(forever, &s->ldap.servers, value);
    if (!strcmp(key, "radius"))
        vec_add(forever, &s->radius.servers, value);
    if (!strcmp(key, "timeout"))
        s->timeout = atol(value);
    if (!strcmp(key, "domain")) {
        size_t n = strcspn(value, ":");
        vec_add(forever, &s->domains, ((struct sign_in_domain){ arena_strndup(forever, value, n), value + n + 1 }));
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */
static void member(struct strbuf *b, const char *key, const char *value)
{
    buf_printf(b, "%s\"%s\":", b->n ? "," : "{", key);
    buf_json(b, value ? value : "");
}

static void put_identity(struct strbuf *b, const struct identity *i)
{
    if (!i)
        return;
    member(b, "user", i->display);
    member(b, "account", i->account);
    member(b, "domain", i->domain);
    member(b, "realm", i->realm);
    member(b, "proof", proof_names[i->proof]);
    buf_printf(b, ",\"evidence\":%s,\"groups_known\":%s,\"sids\":[", i->evidence ? "true" : "false",
               i->groups_known ? "true" : "false");
    for (size_t k = 0; k < i->sids_n; k++) {
        buf_puts(b, k ? "," : "");
        buf_json(b, i->sids[k]);
    }
    buf_puts(b, "],\"groups\":[");
    for (size_t k = 0; k < i->groups_n; k++) {
        buf_puts(b, k ? "," : "");
        buf_json(b, i->groups[k]);
    }
    buf_puts(b, "]");
}

static void say(struct strbuf *b)
{
    printf("%s}\n", b->p);
    fflush(stdout);
    buf_free(b);
}

/* ---- a plain HTTP client and server, blocking, for one thing after another ---------------------------------------- */
struct message {
    struct strbuf text;
    size_t head;
};

static bool read_message(int fd, struct message *m)
{
    char piece[65536];
    const char *end = NULL, *length;
    size_t whole = 0;
    buf_clear(&m->text);
    while (!end || m->text.n < whole) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n <= 0)
            return false;
        buf_add(&m->text, piece, (size_t)n);
        if (!end && (end = strstr(m->text.p, "\r\n\r\n"))) {
            m->head = (size_t)(end - m->text.p) + 4;
            length = strcasestr(m->text.p, "\r\ncontent-length:");
            whole = m->head + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        }
    }
    return true;
}

/* The first value of a field that begins with a word; in a. */
static const char *field(struct arena *a, const struct message *m, const char *name, const char *word)
{
    for (const char *line = m->text.p; line && line < m->text.p + m->head; line = strstr(line, "\r\n")) {
        line += *line == '\r' ? 2 : 0;
        if (!strncasecmp(line, name, strlen(name)) && line[strlen(name)] == ':') {
            const char *value = line + strlen(name) + 1;
            value += strspn(value, " ");
            if (!strncasecmp(value, word, strlen(word)))
                return arena_strndup(a, value, strcspn(value, "\r"));
        }
    }
    return NULL;
}

static int dial(const char *address, int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, address, &to.sin_addr);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

/* One request to a backend with a delegation: the status and body that came, or what stopped it. */
static int through(enum delegation how, struct identity *who, const char *spn, const char *address, int port,
                   const char *path, struct strbuf *body, struct strbuf *why)
{
    struct arena *a = arena_new();
    struct message m = { 0 };
    struct strbuf value = { 0 }, request = { 0 };
    struct initiator *i = NULL;
    int fd = dial(address, port), status = 0;
    const char *challenge = NULL, *scheme = how == DELEGATE_NTLM ? "NTLM" : "Negotiate";
    const char *host = strchr(spn, '/') ? strchr(spn, '/') + 1 : "back.lab.test";
    bool ok = true;
    if (how == DELEGATE_BASIC)
        ok = delegate_basic(who, false, &value);
    else
        ok = (i = initiator_new(auth, how, who, spn, why)) != NULL;
    for (int leg = 0; ok && leg < 4; leg++) {
        if (i) {
            buf_clear(&value);
            enum delegated d = initiator_step(i, challenge, &value, why);
            status = d == DELEGATE_REFUSED ? -1 : -2;
            if (d != DELEGATE_SEND)
                break;
        }
        buf_clear(&request);
        buf_printf(&request, "GET %s HTTP/1.1\r\nHost: %.*s\r\nAuthorization: %s\r\n\r\n", path,
                   (int)strcspn(host, "@:"), host, value.p);
        status = -3;
        if (write(fd, request.p, request.n) != (ssize_t)request.n || !read_message(fd, &m))
            break;
        status = (int)strtol(m.text.p + 9, NULL, 10);
        challenge = field(a, &m, "WWW-Authenticate", scheme);
        if (status != 401 || !i || !challenge)
            break;
    }
    if (status > 0)
        buf_add(body, m.text.p + m.head, m.text.n - m.head);
    initiator_free(i);
    close(fd);
    buf_free(&m.text);
    buf_free(&value);
    buf_free(&request);
    arena_free(a);
    return status;
}

/* ---- a front: each connection signs in by Negotiate or NTLM, and may go on to a backend ------------------------------ */
struct front {
    int fd;
    enum delegation how;
    const char *spn, *address, *path;
    int port;
};

static void answer(int fd, int status, const char *fields, const struct strbuf *body)
{
    struct strbuf b = { 0 };
    buf_printf(&b, "HTTP/1.1 %d x\r\n%sContent-Length: %zu\r\n\r\n", status, fields, body->n);
    buf_add(&b, body->p ? body->p : "", body->n);
    if (write(fd, b.p, b.n) < 0)
        perror("write");
    buf_free(&b);
}

static void sign_in(const char *host, struct handshake **h, const char *value, struct identity **who,
                    struct strbuf *fields, struct strbuf *why)
{
    bool ntlm = !strncasecmp(value, "NTLM ", 5);
    struct strbuf token = { 0 }, reply = { 0 };
    enum leg leg = LEG_REFUSED;
    if (base64_decode(&token, strchr(value, ' ') + 1, strlen(strchr(value, ' ') + 1))) {
        if (!*h || token_begins(token_kind(token.p, token.n))) {
            handshake_free(*h);
            *h = handshake_new(auth, ntlm ? HANDSHAKE_NTLM : HANDSHAKE_NEGOTIATE, host);
        }
        identity_release(*who);
        *who = NULL;
        leg = handshake_step(*h, token.p, token.n, &reply, who, why);
    }
    if (reply.n && (leg == LEG_MORE || leg == LEG_DONE)) {
        buf_printf(fields, "WWW-Authenticate: %s ", ntlm ? "NTLM" : "Negotiate");
        base64_encode(fields, reply.p, reply.n);
        buf_puts(fields, "\r\n");
    } else if (leg != LEG_DONE) {
        buf_puts(fields, "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n");
    }
    buf_free(&token);
    buf_free(&reply);
}

static void serve(const struct front *f, int fd)
{
    struct handshake *h = NULL;
    struct identity *who = NULL;
    struct message m = { 0 };
    while (read_message(fd, &m)) {
        struct arena *a = arena_new();
        struct strbuf fields = { 0 }, why = { 0 }, body = { 0 };
        const char *value = field(a, &m, "Authorization", "NTLM ");
        value = value ? value : field(a, &m, "Authorization", "Negotiate ");
        const char *host = field(a, &m, "Host", "");
        if (value)
            sign_in(arena_strndup(a, host, strcspn(host, ":")), &h, value, &who, &fields, &why);
        else if (!who)
            buf_puts(&fields, "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n");
        int status = who ? 200 : 401;
        if (who && f->spn)
            status = through(f->how, who, f->spn, f->address, f->port, f->path, &body, &why);
        if (!body.n) {
            member(&body, "why", why.p);
            put_identity(&body, who);
            buf_puts(&body, "}\n");
        }
        answer(fd, status > 0 ? status : 502, fields.p ? fields.p : "", &body);
        buf_free(&fields);
        buf_free(&why);
        buf_free(&body);
        arena_free(a);
    }
    handshake_free(h);
    identity_release(who);
    buf_free(&m.text);
    close(fd);
}

struct served {
    struct front *front;
    int fd;
};

static void *connection(void *argument)
{
    struct served s = *(struct served *)argument;
    free(argument);
    serve(s.front, s.fd);
    return NULL;
}

static void *accepting(void *argument)
{
    struct front *f = argument;
    for (int fd; (fd = accept(f->fd, NULL, NULL)) >= 0;) {
        pthread_t t;
        struct served *s = malloc(sizeof *s);
        *s = (struct served){ f, fd };
        pthread_create(&t, NULL, connection, s);
        pthread_detach(t);
    }
    return NULL;
}

/* ---- commands --------------------------------------------------------------------------------------------------------- */
enum { WORDS = 9 };

static enum delegation delegation_of(const char *word)
{
    return !strcmp(word, "basic")       ? DELEGATE_BASIC
           : !strcmp(word, "ntlm")      ? DELEGATE_NTLM
           : !strcmp(word, "negotiate") ? DELEGATE_NEGOTIATE
                                        : DELEGATE_KERBEROS;
}

static enum validator validator_of(const char *word)
{
    return !strcmp(word, "ldap") ? VALIDATE_LDAP : !strcmp(word, "radius") ? VALIDATE_RADIUS : VALIDATE_AD;
}

static const char *const membership_names[] = { "outside", "not known", "ask", "inside" };

/* check VALIDATOR NAME PASSWORD [SET-MEMBER]: and whether a set of that group holds the user */
static void check(char **w)
{
    struct user_name name;
    struct identity *who = NULL;
    struct strbuf b = { 0 }, why = { 0 };
    struct secret *password = secret_new(w[3], strlen(w[3]));
    enum verdict v = user_name_parse(forever, w[2], "LAB", &name)
                         ? password_check(auth, validator_of(w[1]), &name, password, &who, &why)
                         : VERDICT_UNKNOWN;
    member(&b, "verdict", verdict_names[v]);
    member(&b, "why", why.p);
    put_identity(&b, who);
    if (who && w[4]) {
        struct users_set set = { .name = "set" };
        vec_add(forever, &set.members, ((struct users_member){ w[4], NULL, true }));
        struct users *u = users_new(&set, 1);
        enum membership m = users_holds(u, 0, who);
        member(&b, "before", membership_names[m]);
        if (m == USER_ASK)
            users_ask(u, auth, 0, who, &why);
        m = users_holds(u, 0, who);
        member(&b, "member", membership_names[m]);
        users_free(u);
    }
    secret_release(password);
    identity_release(who);
    buf_free(&why);
    say(&b);
}

/* change VALIDATOR NAME OLD NEW */
static void change(char **w)
{
    struct user_name name;
    struct strbuf b = { 0 }, why = { 0 };
    struct secret *old = secret_new(w[3], strlen(w[3])), *wanted = secret_new(w[4], strlen(w[4]));
    user_name_parse(forever, w[2], "LAB", &name);
    member(&b, "verdict", verdict_names[password_change(auth, validator_of(w[1]), &name, old, wanted, &why)]);
    member(&b, "why", why.p);
    secret_release(old);
    secret_release(wanted);
    buf_free(&why);
    say(&b);
}

/* delegate HOW NAME PASSWORD SPN ADDRESS PORT PATH; a password of "-" is none */
static void delegate(char **w)
{
    struct user_name name;
    struct strbuf b = { 0 }, why = { 0 }, body = { 0 };
    user_name_parse(forever, w[2], "LAB", &name);
    struct secret *password = strcmp(w[3], "-") ? secret_new(w[3], strlen(w[3])) : NULL;
    struct identity facts = { .account = name.account,
                              .domain = name.domain,
                              .realm = name.realm,
                              .proof = password ? PROOF_PASSWORD : PROOF_CERTIFICATE,
                              .password = password };
    struct identity *who = identity_new(&facts);
    struct initiator *i =
        delegation_of(w[1]) == DELEGATE_BASIC ? NULL : initiator_new(auth, delegation_of(w[1]), who, w[4], &why);
    bool ready = i && initiator_ready(i);
    initiator_free(i);
    buf_clear(&why);
    int status = through(delegation_of(w[1]), who, w[4], w[5], (int)strtol(w[6], NULL, 10), w[7], &body, &why);
    buf_printf(&b, "{\"status\":%d,\"ready\":%s", status, ready ? "true" : "false");
    member(&b, "why", why.p);
    member(&b, "body", body.p);
    secret_release(password);
    identity_release(who);
    buf_free(&why);
    buf_free(&body);
    say(&b);
}

static void explain(char **w)
{
    struct strbuf b = { 0 }, out = { 0 };
    bool ok = delegation_explain(auth, w[1], w[2], &out);
    buf_printf(&b, "{\"ok\":%s", ok ? "true" : "false");
    member(&b, "text", out.p);
    buf_free(&out);
    say(&b);
}

/* front [HOW SPN ADDRESS PORT PATH]: says the port that it listens on */
static void front(char **w)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    struct strbuf b = { 0 };
    pthread_t t;
    struct front *f = arena_alloc(forever, sizeof *f);
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(f->fd, (struct sockaddr *)&at, n) || listen(f->fd, 64) || getsockname(f->fd, (struct sockaddr *)&at, &n))
        perror("front");
    if (w[1]) {
        f->how = delegation_of(w[1]);
        f->spn = arena_strdup(forever, w[2]);
        f->address = arena_strdup(forever, w[3]);
        f->port = (int)strtol(w[4], NULL, 10);
        f->path = arena_strdup(forever, w[5]);
    }
    pthread_create(&t, NULL, accepting, f);
    pthread_detach(t);
    buf_printf(&b, "{\"port\":%d", ntohs(at.sin_port));
    say(&b);
}

/* fuzz SEED N TOKEN…: mutations of tokens in base64, alone and behind one another in a handshake */
static void fuzz(char **w)
{
    struct strbuf tokens[WORDS] = { { 0 } }, b = { 0 };
    size_t n = 0, taken = 0, more = 0, total = strtoul(w[2], NULL, 10);
    unsigned seed = (unsigned)strtoul(w[1], NULL, 10);
    for (char **t = w + 3; *t; t++)
        n += base64_decode(&tokens[n], *t, strlen(*t));
    struct handshake *h = handshake_new(auth, HANDSHAKE_NEGOTIATE, "front.lab.test");
    for (size_t i = 0; i < total; i++) {
        const struct strbuf *from = &tokens[(size_t)rand_r(&seed) % n];
        struct strbuf reply = { 0 }, why = { 0 };
        struct identity *who = NULL;
        size_t length = from->n;
        if (rand_r(&seed) % 4 == 0)
            length = (size_t)rand_r(&seed) % (from->n + 1);
        unsigned char *bytes = malloc(length + 1); /* of that size, so that a sanitizer sees one byte too many */
        memcpy(bytes, from->p, length);
        for (int k = rand_r(&seed) % 6; length && k > 0; k--) {
            static const unsigned char odd[] = {
                0x00, 0x01, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff, 0x30, 0x60, 0xa0, 0xa1
            };
            size_t near = rand_r(&seed) % 2 ? length : length < 64 ? length : 64;
            bytes[(size_t)rand_r(&seed) % near] =
                rand_r(&seed) % 2 ? odd[(size_t)rand_r(&seed) % sizeof odd] : (unsigned char)rand_r(&seed);
        }
        if (rand_r(&seed) % 32 == 0) {
            handshake_free(h);
            h = handshake_new(auth, rand_r(&seed) % 2 ? HANDSHAKE_NEGOTIATE : HANDSHAKE_NTLM, "");
        }
        enum leg leg = handshake_step(h, bytes, length, &reply, &who, &why);
        taken += leg == LEG_DONE;
        more += leg == LEG_MORE;
        identity_release(who);
        buf_free(&reply);
        buf_free(&why);
        free(bytes);
    }
    handshake_free(h);
    for (size_t i = 0; i < n; i++)
        buf_free(&tokens[i]);
    buf_printf(&b, "{\"tokens\":%zu,\"done\":%zu,\"more\":%zu", total, taken, more);
    say(&b);
}

static void hash(char **w)
{
    struct strbuf b = { 0 }, out = { 0 };
    struct secret *password = secret_new(w[1], strlen(w[1]));
    password_hash(password, &out);
    member(&b, "hash", out.p);
    secret_release(password);
    buf_free(&out);
    say(&b);
}

static void run(char *line)
{
    static const struct {
        const char *name;
        void (*does)(char **);
    } commands[] = {
        { "check", check }, { "change", change }, { "delegate", delegate }, { "explain", explain },
        { "front", front }, { "fuzz", fuzz },     { "hash", hash },
    };
    char *words[WORDS + 1] = { NULL };
    size_t n = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *word; n < WORDS && (word = strsep(&line, "\t"));)
        words[n++] = word;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (n && !strcmp(words[0], commands[i].name)) {
            commands[i].does(words);
            return;
        }
    printf("{\"error\":\"what is that?\"}\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct sign_in s = { .timeout = 3 };
    bool spnego = false;
    struct strbuf err = { 0 };
    char *line = NULL;
    size_t room = 0;
    forever = arena_new();
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        spnego = spnego || !strcmp(argv[i], "spnego=1");
        setting(&s, arena_strndup(forever, argv[i], (size_t)(value - argv[i])), value + 1);
    }
    if (!getenv("LAB_DEFAULTS") && !auth_start(&s, &err)) /* with it: the test of what others' defaults could do */
        return 1;
    auth = auth_new(&s, spnego, &err);
    if (!auth) {
        fputs(err.p, stderr);
        return 1;
    }
    while (getline(&line, &room, stdin) > 0)
        run(line);
    free(line);
    auth_free(auth);
    arena_free(forever);
    buf_free(&err);
    return 0;
}
