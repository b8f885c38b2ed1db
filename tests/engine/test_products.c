/* Every product of our own against sums in double: in every transposition, packed and not, and with bfloat16 operands
 * that are stored as such. Operands and results end where memory ends, so that nothing is read or written beyond.
 *
 * The AVX-512 kernels are also here on a CPU without: their own source, compiled for any (portable/immintrin.h). */
#include "gradcheck.h"

#include "kernels/gemm_internal.h"
#include "kernels/vec_internal.h"

#include <lagd/base/check.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_PORTABLE
/* engine/kernels/gemm_avx512.c and gemm_avx512_bf16.c under other names */
extern const struct lag_products portable_fp32, portable_bf16;
#endif

/* Memory before a page that nobody may touch. */
struct room {
    char *end;
    size_t bytes;
};

static struct room room_create(size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), length = (bytes + page - 1) / page * page;
    char *at = mmap(NULL, length + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED && mprotect(at + length, page, PROT_NONE) == 0);
    return (struct room){at + length, length};
}

static void room_destroy(struct room room) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(munmap(room.end - room.bytes, room.bytes + page), 0);
}

static struct room packing, panels, left, right, result;

static void *last(struct room room, size_t bytes) {
    assert_true(bytes <= room.bytes);
    return room.end - bytes;
}

/* To nearest, ties to even, in integers. */
static uint16_t rounded(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* What a product takes for x. */
static double taken(float x, bool bf16) {
    if (!bf16) return (double)x;
    const uint32_t bits = (uint32_t)rounded(x) << 16;
    memcpy(&x, &bits, sizeof(x));
    return (double)x;
}

static float element(uint64_t seed, int i) {
    return (float)test_normal(seed, (uint64_t)i);
}

/* rows × cols elements, as the caller's struct wants them stored. */
static struct lag_matrix operand(struct room room, uint64_t seed, int rows, int cols, bool transposed, bool half) {
    const int n = rows * cols;
    void *at = last(room, (size_t)n * (half ? sizeof(uint16_t) : sizeof(float)));
    for (int i = 0; i < n; i++)
        if (half)
            ((uint16_t *)at)[i] = rounded(element(seed, i));
        else
            ((float *)at)[i] = element(seed, i);
    return (struct lag_matrix){.data = at, .stride = cols, .transposed = transposed, .half = half};
}

static struct lag_matrix packed(const struct lag_products *products, struct lag_matrix b, int k, int n) {
    const size_t words = (size_t)((k + products->k_a_word - 1) / products->k_a_word);
    const int columns = (n + products->width - 1) / products->width * products->width;
    lag_real *to = last(panels, words * (size_t)columns * sizeof(*to));
    for (int j = 0; j < n; j += products->width)
        products->pack(b, k, j, LAG_MIN(products->width, n - j), to + words * (size_t)j);
    return (struct lag_matrix){.data = to, .stride = k, .packed = true};
}

/* mode: 1 a transposed, 2 b transposed, 4 b packed, 8 c is not read, 16 a stored in bfloat16, 32 b. */
static void check_product(const struct lag_products *products, bool bf16, int m, int n, int length, unsigned mode) {
    enum { BESIDE = 3 }; /* columns between the rows of c, which stay as they are */
    const bool a_turned = mode & 1, b_turned = mode & 2, fresh = mode & 8;
    const int stride = n + BESIDE, n_c = (m - 1) * stride + n;
    const struct lag_matrix a = operand(left, 1, a_turned ? length : m, a_turned ? m : length, a_turned, mode & 16);
    struct lag_matrix b = operand(right, 2, b_turned ? n : length, b_turned ? length : n, b_turned, mode & 32);
    if (mode & 4) b = packed(products, b, length, n);
    float *c = last(result, (size_t)n_c * sizeof(*c)), *pack = last(packing, LAG_PACK_ELEMENTS * sizeof(*pack));
    for (int i = 0; i < n_c; i++) c[i] = fresh && i % stride < n ? NAN : (float)(i % 100);
    products->gemm(pack, m, n, length, 2, a, b, fresh ? 0 : -1, c, stride);
    for (int i = 0; i < n_c; i++) {
        const int row = i / stride, col = i % stride;
        double wanted = col >= n ? i % 100 : fresh ? 0 : -(i % 100);
        for (int k = 0; k < length && col < n; k++)
            wanted += 2 * taken(element(1, a_turned ? k * m + row : row * length + k), bf16) *
                      taken(element(2, b_turned ? col * length + k : k * n + col), bf16);
        if (!(fabs((double)c[i] - wanted) < 1e-3))
            fail_msg("%s: %d × %d × %d, mode %u: element %d is %g, wanted %g", products->name, m, n, length, mode, i,
                     (double)c[i], wanted);
    }
}

static void check_products(const struct lag_products *products, bool bf16) {
    static const int SHAPES[][3] = {{1, 1, 1},   {7, 9, 3},    {8, 17, 9},    {37, 29, 41}, {24, 64, 64},
                                    {9, 50, 600} /* several blocks of k */, {530, 3, 17} /* several blocks of rows */};
    for (unsigned mode = 0; mode < (bf16 ? 64 : 16); mode++)
        for (size_t i = 0; i < LAG_COUNT(SHAPES); i++)
            check_product(products, bf16, SHAPES[i][0], SHAPES[i][1], SHAPES[i][2], mode);
}

static void of_every_level(void **unused) {
    int n_levels;
    const struct lag_vec *const *levels = lag_vec_levels(&n_levels);
    for (int i = 0; i < n_levels; i++) {
        lag_vec_use(levels[i]);
        for (int precision = 0; precision < LAG_N_PRECISIONS; precision++) {
            const struct lag_products *products = lag_products((enum lag_precision)precision);
            if (products) check_products(products, precision == LAG_BF16);
        }
    }
}

static void of_avx512_on_any_cpu(void **unused) {
#ifdef HAVE_PORTABLE
    check_products(&portable_fp32, false);
    check_products(&portable_bf16, true);
#else
    print_message("SIMDe is not installed: the AVX-512 kernels are not compiled for any CPU\n");
#endif
}

static int make_room(void **unused) {
    const size_t most = 600 * 64 * sizeof(float);
    packing = room_create(LAG_PACK_ELEMENTS * sizeof(float));
    panels = room_create(most), left = room_create(most), right = room_create(most), result = room_create(most);
    return 0;
}

static int give_back(void **unused) {
    const struct room rooms[] = {packing, panels, left, right, result};
    for (size_t i = 0; i < LAG_COUNT(rooms); i++) room_destroy(rooms[i]);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_every_level), cmocka_unit_test(of_avx512_on_any_cpu)};
    return cmocka_run_group_tests(tests, make_room, give_back);
}
