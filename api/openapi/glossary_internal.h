/* What names mean in every answer and request, where the place itself says no more. Thread: any (const table). */
#pragma once

/* Of a member of a schema: by both, else by its own name. NULL: it has to say so itself. */
const char *lagd_glossary_member(const char *schema, const char *name);
/* Of fields that stand together, as those of "schedule". */
const char *lagd_glossary_group(const char *name);
