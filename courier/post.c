/* The request on its way, by libcurl. */
#include "courier_internal.h"

#include <lagd/base/error.h>
#include <curl/curl.h>
#include <string.h>

#define CONNECT_MS 5000L
#define TOTAL_MS 12000L /* less than lagd waits */

static size_t drop(char *data, size_t size, size_t n, void *arg) {
    (void)data;
    (void)arg;
    return size * n;
}

static CURLcode set_up(CURL *curl, const struct courier_request *request, const char *ca_file,
                       struct curl_slist *headers, char *why) {
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_URL, request->url);
    why[0] = '\0';
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (rc == CURLE_OK && ca_file) rc = curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->n_body);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TOTAL_MS);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    return rc;
}

static int append(struct curl_slist **list, const char *header) {
    struct curl_slist *longer = curl_slist_append(*list, header);
    if (!longer) return LAG_ENOMEM;
    *list = longer;
    return 0;
}

int courier_post(const struct courier_request *request, const char *ca_file, long *ret_status, struct lag_error *err) {
    char why[CURL_ERROR_SIZE];
    struct curl_slist *headers = NULL;
    CURL *curl = curl_easy_init();
    CURLcode rc = CURLE_OUT_OF_MEMORY;
    bool good = curl && append(&headers, "Expect:") == 0;
    for (int i = 0; i < request->n_headers && good; i++) good = append(&headers, request->headers[i]) == 0;
    why[0] = '\0';
    if (good) rc = set_up(curl, request, ca_file, headers, why);
    if (good && rc == CURLE_OK) rc = curl_easy_perform(curl);
    if (rc == CURLE_OK) rc = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return rc == CURLE_OK ? 0 : lag_error_set(err, LAG_EIO, "%.200s", why[0] ? why : curl_easy_strerror(rc));
}
