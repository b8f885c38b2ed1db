/* What a candidate is called beside the others of its growth. */
#include <lagd/daemon/ranking.h>

#include <lagd/base/mem.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The first of its names: what was asked for. */
static size_t first_name(const struct lag_candidate_row *row) {
    const char *comma = strstr(row->names, ", ");
    return comma ? (size_t)(comma - row->names) : strlen(row->names);
}

static bool is_same_name(const struct lag_candidate_row *a, const struct lag_candidate_row *b) {
    const size_t n = first_name(a);
    return n == first_name(b) && memcmp(a->names, b->names, n) == 0;
}

/* Has the text this word? */
static bool has_word(const char *text, const char *word, size_t n) {
    for (const char *p = text; (p = strstr(p, word)) != NULL; p++) {
        const bool begins = p == text || p[-1] == ' ';
        if (begins && (p[n] == ' ' || p[n] == '\0')) return true;
    }
    return false;
}

/* The operator, and the words of its strategy that not all others of this operator share. */
static void name_by_strategy(const struct lag_candidate_row *rows, int n, int index, char ret[LAGD_LABEL]) {
    const struct lag_candidate_row *row = &rows[index];
    char text[LAG_ROW_STRATEGY], *rest = NULL;
    size_t used = (size_t)snprintf(ret, LAGD_LABEL, "%s", row->op);
    (void)lag_copy(text, sizeof(text), row->strategy);
    (void)strtok_r(text, " ", &rest); /* the operator */
    for (char *word = strtok_r(NULL, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        bool is_shared = true;
        for (int i = 0; i < n; i++)
            if (strcmp(rows[i].op, row->op) == 0) is_shared &= has_word(rows[i].strategy, word, strlen(word));
        if (!is_shared && used < LAGD_LABEL) used += (size_t)snprintf(ret + used, LAGD_LABEL - used, " %s", word);
    }
}

void lagd_candidate_label(const struct lag_candidate_row *rows, int n, int index, char ret[LAGD_LABEL]) {
    const struct lag_candidate_row *row = &rows[index];
    int n_same = 0;
    bool differ = row->names[0] != '\0';
    for (int i = 0; i < n; i++) {
        if (strcmp(rows[i].op, row->op) != 0) continue;
        n_same++;
        for (int j = 0; j < i; j++)
            if (strcmp(rows[j].op, row->op) == 0) differ &= !is_same_name(&rows[i], &rows[j]);
    }
    if (n_same < 2) (void)snprintf(ret, LAGD_LABEL, "%s", row->op);
    else if (differ) (void)snprintf(ret, LAGD_LABEL, "%.*s", (int)first_name(row), row->names);
    else name_by_strategy(rows, n, index, ret);
}
