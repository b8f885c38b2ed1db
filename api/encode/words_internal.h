/* People's words in Markdown. Thread: any. */
#pragma once
#include <lagd/base/strbuf.h>

/* Nothing in them formats, links or ends a cell of a table. */
void lagd_markdown_words(struct lag_strbuf *out, const char *text);
