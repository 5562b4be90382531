/* atoms: finitely many paths and hosts that stand for all of them.
 *
 * What decide() asks of a path is only which path patterns match it, what remains behind their literals, and whether
 * it leaves them by dots. What it asks of a host is only which public names match it. So two requests that agree in
 * the answers to these questions are treated alike, and one of each kind is enough to know all of them.
 *
 * Paths. Let S be the literals of all patterns in question, in lower case. Take a path P and the longest literal L of
 * S that P begins with (without case). P is L itself, or L and a slash and more, or L and another character and more.
 * These three cases, for each L, are the classes; within one every pattern M gives one answer:
 *   - M longer than L, or not the beginning of L: P does not begin with M, or L would not have been the longest.
 *   - M = L: exact asks for the first case, prefix for the first or second, stem takes all three.
 *   - M shorter: exact never; stem always; prefix asks for the character of L behind M, which is the same for all P.
 * A representative is L and a text behind it which no literal of S continues, so that it is in the class whatever
 * follows. Where a rule replaces the beginning of a path, the result is a text of its own and the rest of P: two rules
 * give the same for all P of a class if they do so for the representative and for the representative with the case of
 * every letter changed, because at each place either both take P's character, or both a fixed one, or a fixed one
 * meets P's - and that one comes out different in one of the two.
 *
 * Hosts. The names that match a host are the exact one, and every wildcard whose suffix it has. Those suffixes are
 * beginnings of one another when read backwards: the longest decides. One host an exact name, one fresh label under
 * each wildcard, one host that nothing names and the request without one are all the classes.
 */
#ifndef TMGC_ATOMS_H
#define TMGC_ATOMS_H
#include "policy.h"

/* ---- paths ---------------------------------------------------------------- */
struct path_atom {
    const char *literal; /* lower case */
    size_t parent;       /* the longest other literal that this one begins with; SIZE_MAX */
};
struct path_atoms {
    VEC(struct path_atom) list;
}; /* sorted; each literal once */
/* Adds to a list of literals; path_atoms_make then sorts it and finds the parents. */
void path_atoms_add(struct arena *a, struct path_atoms *p, const char *literal);
void path_atoms_make(struct arena *a, struct path_atoms *p);
size_t path_atoms_find(const struct path_atoms *p, const char *literal); /* without case; SIZE_MAX */

enum path_case { PATH_ITSELF, PATH_BELOW, PATH_BESIDE, PATH_CASES }; /* L, L/..., Lx... */
/* The representative of a class; the shortest one. NULL: the class is empty, or no path that a client can send. */
const char *path_atom_example(struct arena *a, const struct path_atoms *p, size_t atom, enum path_case which);
/* The same, such that any text may be added and it stays in the class; NULL for PATH_ITSELF. */
const char *path_atom_open(struct arena *a, const struct path_atoms *p, size_t atom, enum path_case which);
const char *swap_case(struct arena *a, const char *s);

/* ---- hosts ---------------------------------------------------------------- */
enum host_kind { HOST_NAMED, HOST_UNDER, HOST_OTHER, HOST_NONE };
struct host_atom {
    enum host_kind kind;
    const char *name;      /* the public name, a wildcard with its "*."; NULL for OTHER and NONE */
    const char *backwards; /* the name, or the wildcard's suffix ".x", read backwards: what sorts them */
};
struct host_atoms {
    VEC(struct host_atom) list;
}; /* sorted, each once; OTHER and NONE are the last two */
void host_atoms_add(struct arena *a, struct host_atoms *h, const struct public_name *n);
void host_atoms_make(struct arena *a, struct host_atoms *h);
/* The position of that very name; SIZE_MAX. */
size_t host_atoms_find(const struct host_atoms *h, const char *name);
/* All atoms from *from up to, not including, the result match the wildcard at position `atom`. */
size_t host_atoms_under(const struct host_atoms *h, size_t atom, size_t *from);
/* A canonical host of the class; NULL for HOST_NONE. */
const char *host_atom_example(struct arena *a, const struct host_atoms *h, size_t atom);
#endif
