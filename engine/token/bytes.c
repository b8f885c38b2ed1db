/* Bytes as letters: printable ones stand for themselves, the others, in order, for U+0100 and on. */
#include "token/token_internal.h"

enum { FIRST_OTHER = 0x100, N_OTHERS = 68 };

static bool is_plain(unsigned b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; }

int32_t lag_byte_letter(unsigned byte) {
    if (is_plain(byte)) return (int32_t)byte;
    if (byte <= 32) return FIRST_OTHER + (int32_t)byte;                    /* 0 to 32 */
    return byte == 173 ? FIRST_OTHER + 67 : FIRST_OTHER + 33 + (int32_t)byte - 127; /* 127 to 160, 173 */
}

static int byte_of_letter(int32_t c) {
    if (c >= 0 && c < 256) return is_plain((unsigned)c) ? c : -1;
    if (c < FIRST_OTHER || c >= FIRST_OTHER + N_OTHERS) return -1;
    const int i = c - FIRST_OTHER;
    return i <= 32 ? i : i == 67 ? 173 : i - 33 + 127;
}

bool lag_bytes_of_letters(const char *text, size_t n, struct lag_strbuf *out) {
    const size_t before = out->length;
    for (size_t i = 0; i < n;) {
        int32_t c;
        i += lag_utf8_next(text + i, n - i, &c);
        const int byte = byte_of_letter(c);
        if (byte < 0) {
            out->length = before;
            if (out->data) out->data[before] = '\0';
            return false;
        }
        const char b = (char)byte;
        lag_strbuf_append_n(out, &b, 1);
    }
    return true;
}

void lag_letters_of_bytes(const char *bytes, size_t n, struct lag_strbuf *out) {
    for (size_t i = 0; i < n; i++) {
        char letter[4];
        lag_strbuf_append_n(out, letter, lag_utf8_put(lag_byte_letter((unsigned char)bytes[i]), letter));
    }
}
