/* What decided growths and completed studies say of operators. */
#include "encode/prior_internal.h"
#include "resources/handlers_internal.h"
#include "resources/schemas_internal.h"

#include <lagd/base/cleanup.h>
#include <lagd/base/mem.h>

int lagd_h_prior(struct lagd_request *request) {
    struct lag_db *db;
    struct lagd_prior prior;
    LAG_CLEANUP(lag_free_p) struct lagd_prior_entry *entries = NULL;
    size_t n = 0;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err); /* all rows are of one moment */
    if (status < 0) return status;
    status = lagd_prior_load(db, &prior, &request->err);
    lag_reader_end(db);
    if (status < 0) return status;
    const int64_t n_decided = prior.n_growths[0], n_studied = prior.n_growths[1];
    status = lagd_prior_table(&prior, &entries, &n);
    lagd_prior_deinit(&prior);
    if (status < 0) return lag_error_set(&request->err, LAG_EBUSY, "out of memory");
    const struct lagd_prior_list list = {entries, n, n_decided, n_studied};
    return lagd_answer_object(request, &lagd_prior_list_schema, &list, NULL, 0);
}
