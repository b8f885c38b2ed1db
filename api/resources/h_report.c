/* /growths/{growth}/report: answers in the form that was asked for. */
#include "encode/report_internal.h"
#include "resources/handlers_internal.h"

#include <string.h>

static int answer_markdown(struct lagd_request *request, const struct lagd_report *report) {
    struct lag_strbuf out = LAG_STRBUF_INIT;
    lagd_report_write_markdown(&out, report);
    size_t length = out.length;
    lagd_header_set(request, "Content-Disposition", "inline; filename=\"%s.md\"", report->growth.id);
    return lagd_answer_text(request, "text/markdown; charset=utf-8", lag_strbuf_take(&out), length);
}

int lagd_h_growth_report(struct lagd_request *request) {
    struct lag_db *db;
    struct lagd_report *report = NULL;
    bool markdown = strcmp(lagd_query_text(&request->target, request->route, "format"), "md") == 0;
    int status = lagd_request_db(request, &db);
    if (status == 0) status = lag_reader_begin(db, &request->err);
    if (status < 0) return status;
    status = lagd_report_create(db, request->params[0], &report, &request->err);
    struct lagd_encoding encoding = {db, &request->err, NULL};
    if (status == 0)
        status = markdown ? answer_markdown(request, report)
                          : lagd_answer_object(request, &lagd_report_schema, report, &encoding, 0);
    lag_reader_end(db);
    lagd_report_destroy(report);
    return status;
}
