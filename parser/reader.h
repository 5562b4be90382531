/* reader: what the files read_*.c share - access to the store's settings, lists and references by rows of the
 * settings table, and notes. Every access marks what it read, so that the rest can be reported. */
#ifndef TMGC_READER_H
#define TMGC_READER_H
#include "../ir/policy.h"
#include "store.h"

/* What a reference may point at. */
enum item_class { CLASS_NONE, CLASS_LISTENER, CLASS_FARM, CLASS_SCHEDULE, CLASS_USERS, CLASS_NETWORK, CLASS_NETWORK_SET, CLASS_COMPUTER,
             CLASS_COMPUTER_SET, CLASS_RANGE, CLASS_SUBNET, CLASS_SCHEME, CLASS_GROUP, CLASS_PROTOCOL, CLASS_CONTENT_TYPES, CLASS_OTHER, CLASSES };

struct name_set;                           /* lookup.c: names that are taken */
struct lookup;                             /* lookup.c: items by GUID, and by class and display name */
struct entry { uint32_t item; const char *name; bool listed, bad; };   /* name: unique in the policy; listed: already in it */
typedef VEC(struct entry) entries;         /* in order of item */

struct owner { uint32_t item; enum subject subject; size_t at; };   /* a rule, listener or farm and its place in the policy */

struct compiled { ipset set; bool bad; };  /* bad: part of it could not be read */

/* Whom settings and notes are about. */
struct about { enum subject subject; const char *name, *guid; struct origin *at; };

struct reader {
    struct arena *arena;                   /* the policy's */
    struct policy *policy;
    struct store *store;
    struct lookup *lookup;
    struct arena *scratch;                 /* gone after reading */
    size_t known_names;                    /* names below this number are the format's; the others only this document has */
    entries listeners, farms, networks, schedules, user_sets, protocols;
    struct name_set *network_names, *farm_names;   /* those of the policy and of the export */
    VEC(uint32_t) wanted;                  /* objects of which every element has to be known */
    uint8_t *is_wanted;                    /* by item */
    VEC(struct owner) owners;
    VEC(struct compiled *) compiled;       /* address objects, in order of use */
    uint32_t *compiled_at;                 /* by item: place in compiled + 1 */
};

/* ---- notes ------------------------------------------------------------------------------------------------------ */
struct finding *note(struct reader *r, enum finding_id id, const struct about *who, const char *setting, uint32_t line,
                     const char *fmt, ...) PRINTF_LIKE(6, 7);
/* A rule, listener, farm or other object by its element alone. */
struct about about_item(struct reader *r, uint32_t item);
/* A value as it may stand in a message: not longer than a line. */
const char *shortened(struct reader *r, const char *text);

/* ---- one object of the store, its children sorted by setting ------------------------------------------------------ */
enum { MOST_FIELDS = 48 };
struct object {
    struct reader *r;
    struct about *about;
    enum setting_object kind;
    uint32_t item;
    uint32_t at[MOST_FIELDS];
};
struct object object_read(struct reader *r, struct about *about, enum setting_object kind, uint32_t item);
/* The child for a setting, marked as read; 0: absent. Its line goes into the object's origin. */
uint32_t object_field(struct object *o, enum setting_id id);
/* The next child that means the same setting. */
uint32_t object_more(struct object *o, enum setting_id id, uint32_t item);
bool object_has(const struct object *o, enum setting_id id);      /* without marking it */
/* Scalars; absent: the table's default. A value that is none is noted, and the default taken. */
const char *object_string(struct object *o, enum setting_id id);  /* in the policy's arena; NULL if empty */
bool object_bool(struct object *o, enum setting_id id);
long object_int(struct object *o, enum setting_id id, long least, long most);
uint32_t object_line(const struct object *o, enum setting_id id); /* the field's, or the object's */

/* ---- lists and references -------------------------------------------------------------------------------------------- */
struct text_at { const char *text; uint32_t line; };
typedef VEC(struct text_at) texts;
/* Every shape that a list of strings may have below an item (format 6.2.5). */
void list_read(struct reader *r, uint32_t item, texts *out);

struct ref {
    const char *name;                      /* GUID or display name, as written */
    enum item_class class;                      /* CLASS_NONE: nothing tells */
    uint32_t target;                       /* item; 0: dangling */
    uint32_t line;
    bool excluded;
    int slot;                              /* the setting in whose slot it stood, or -1 */
};
typedef VEC(struct ref) refs;
/* Every reference at or below item. expected: the class that the slot suggests, where RefClass says nothing. */
void refs_read(struct reader *r, uint32_t item, enum item_class expected, int slot, refs *out);

/* ---- values ------------------------------------------------------------------------------------------------------------ */
bool value_bool(const char *text, bool *out);
bool value_int(const char *text, long *out);
/* bin.hex or, if it is not that, bin.base64; white space is skipped. NULL: neither. */
unsigned char *value_bytes(struct arena *a, const char *text, size_t *n);

void mark_all(struct reader *r, uint32_t item);
/* The item and all below it stand for one setting, whatever was thought before. */
void stands_for(struct reader *r, uint32_t item, enum setting_id id);
void want(struct reader *r, uint32_t item);          /* every element below it has to be known */
void own(struct reader *r, uint32_t item, enum subject subject, size_t at);    /* wants it, as that object of the policy */

/* ---- lookup.c ------------------------------------------------------------------------------------------------------------ */
struct lookup *lookup_make(struct arena *a, const struct store *s);
bool is_guid(const char *text);
uint32_t lookup_guid(const struct lookup *l, const char *guid);
uint32_t lookup_name(const struct lookup *l, enum item_class class, const char *name);
enum item_class class_of_item(const struct store *s, uint32_t item);    /* by the element's name */
enum item_class class_of_ref(const struct store *s, const char *ref_class);   /* "msFPCNetwork" */
/* Every object of a class that counts (of several with one GUID the best), in document order, with unique names. */
struct name_set *entries_make(struct reader *r, enum item_class class, const char *kind, entries *out);
struct entry *entry_find(const entries *e, uint32_t item);         /* NULL: not one of them */
const char *item_guid(struct reader *r, uint32_t item);            /* as written; NULL */
/* A name that no earlier call with the same set gave, without case: "X", "X (2)". */
struct name_set *name_set_new(struct arena *a);
const char *name_set_unique(struct name_set *s, struct arena *a, const char *name);
const char *name_set_find(const struct name_set *s, const char *name);   /* as it was given; NULL */

/* ---- the readers ---------------------------------------------------------------------------------------------------------- */
void read_networks(struct reader *r);
void read_listeners(struct reader *r);
void read_farms(struct reader *r);
/* A farm that the export names but does not hold: one without members, which forwards nothing. */
const char *farm_named(struct reader *r, const char *name);
void read_rules(struct reader *r);
void read_web_rule(struct reader *r, uint32_t item, uint32_t web);
void read_server_rule(struct reader *r, uint32_t item, uint32_t server);
void read_relations(struct reader *r);                             /* network rules: which server rules cross a route (B-151) */
/* Of a rule: allow or deny; what is neither is noted and denies. */
enum action read_action(struct reader *r, struct about *who, struct object *rule);
void read_sources(struct reader *r, struct about *who, struct sources *out, uint32_t item);
/* The same where no reference means nobody; exceptions stay apart. For the note about one that leads nowhere: where it
 * stands, "its sources name", and what becomes of it. */
struct selection { const char *setting, *names, *unknown; };
void read_selection(struct reader *r, struct about *who, const struct selection *of, struct sources *out, uint32_t item);
/* Networks and addresses to listen on, from the two settings of a listener or a server publishing rule. */
void read_listen_on(struct reader *r, struct about *who, listen_ons *out, struct object *o, enum setting_id on, enum setting_id sets);
const char *schedule_name(struct reader *r, uint32_t item);        /* adds it to the policy on first use */
const char *user_set_name(struct reader *r, uint32_t item);
void read_rule_vendor(struct reader *r, struct about *who, struct rule *rule, uint32_t sets);
void read_array_vendor(struct reader *r);                          /* the switches of hotfixes, wherever they stand */
void read_compression(struct reader *r);                           /* of the whole array: for whom, and of what (B-65) */
void read_array_links(struct reader *r);                           /* the array's dictionary of link translation */
void read_unknown(struct reader *r);                               /* notes for what nobody read */
void note_attribute(struct reader *r, uint32_t top, uint32_t item, const char *name);   /* the same for an attribute */
void read_ledger(struct reader *r);                                /* counts where each element went; after all others */
/* The policy's name for a network that the export names but does not hold; NULL if the reference says too little. */
const char *network_named(struct reader *r, const char *name, bool *known);
#endif
