/* place_names: where the paths that a listener with forms keeps for itself begin, for proxies in front of publishd, too. */
#ifndef AUTH_PLACE_NAMES_H
#define AUTH_PLACE_NAMES_H

#define PLACES "/.publishd/" /* every path of ours begins so; no rule ever sees it on a listener with forms */
/* The source's own, which lead to the form (B-84): each behind a space; their case does not count. */
#define PLACES_OLD " /cookieauth.dll /fbahandler.dll"
#endif
