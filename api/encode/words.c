/* People's words in Markdown. */
#include "encode/words_internal.h"

#include <string.h>

void lagd_markdown_words(struct lag_strbuf *out, const char *text) {
    for (const char *p = text; *p; p++) {
        if (strchr("\\`*_{}[]<>#|~&", *p)) lag_strbuf_append(out, "\\");
        lag_strbuf_append_n(out, (unsigned char)*p < ' ' ? " " : p, 1);
    }
}
