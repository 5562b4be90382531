/* names_file: a --names file, which tells the reader other spellings of the export's elements:
 *     SendOriginalHostHeader: ForwardHost
 *     WebListenerProperties/TCPPort: [HTTPPort, PlainPort]
 * The key is a setting's first name in the settings table, alone or behind its object. */
#ifndef TMGC_NAMES_FILE_H
#define TMGC_NAMES_FILE_H
#include "xml_names.h"

/* 0, or -1 with "file:line: what" lines in err. */
int names_file_read(const char *file, struct xml_names *names, struct strbuf *err);
#endif
