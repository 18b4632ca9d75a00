/* The `unique` tokens: BLAKE2b (RFC 7693) of device and inode under a key, the same as hashlib makes in entries.py. */

#define TOKEN_OCTETS 9
#define BLOCK_OCTETS 128

struct tokens {
    uint64_t keyed[8]; /* the state behind the block of the key */
    uint64_t hashed;   /* octets in it */
};

static const uint64_t initial[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static const unsigned char order[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

static inline uint64_t rotated(uint64_t word, int bits)
{
    return word >> bits | word << (64 - bits);
}

#define MIX(a, b, c, d, x, y) \
    do { \
        v[a] += v[b] + (x); v[d] = rotated(v[d] ^ v[a], 32); \
        v[c] += v[d];       v[b] = rotated(v[b] ^ v[c], 24); \
        v[a] += v[b] + (y); v[d] = rotated(v[d] ^ v[a], 16); \
        v[c] += v[d];       v[b] = rotated(v[b] ^ v[c], 63); \
    } while (0)

static void compress(uint64_t state[8], const unsigned char block[BLOCK_OCTETS], uint64_t octets, int last)
{
    uint64_t v[16], words[16];
    for (int i = 0; i < 16; i++) {
        words[i] = 0;
        for (int octet = 7; octet >= 0; octet--) words[i] = words[i] << 8 | block[8 * i + octet];
    }
    memcpy(v, state, 64);
    memcpy(v + 8, initial, 64);
    v[12] ^= octets;
    if (last) v[14] = ~v[14];
    for (int round = 0; round < 12; round++) {
        const unsigned char *s = order[round];
        MIX(0, 4, 8, 12, words[s[0]], words[s[1]]);
        MIX(1, 5, 9, 13, words[s[2]], words[s[3]]);
        MIX(2, 6, 10, 14, words[s[4]], words[s[5]]);
        MIX(3, 7, 11, 15, words[s[6]], words[s[7]]);
        MIX(0, 5, 10, 15, words[s[8]], words[s[9]]);
        MIX(1, 6, 11, 12, words[s[10]], words[s[11]]);
        MIX(2, 7, 8, 13, words[s[12]], words[s[13]]);
        MIX(3, 4, 9, 14, words[s[14]], words[s[15]]);
    }
    for (int i = 0; i < 8; i++) state[i] ^= v[i] ^ v[i + 8];
}

static void set_key(struct tokens *self, const char *key, size_t octets)
{
    memcpy(self->keyed, initial, sizeof self->keyed);
    self->keyed[0] ^= 0x01010000 ^ (uint64_t)octets << 8 ^ TOKEN_OCTETS;
    self->hashed = 0;
    if (octets) {
        unsigned char block[BLOCK_OCTETS] = {0};
        memcpy(block, key, octets);
        compress(self->keyed, block, self->hashed = BLOCK_OCTETS, 0);
    }
}

static char *hexadecimal(char *to, unsigned long long number)
{
    int shift = 60;
    while (shift && !(number >> shift)) shift -= 4;
    for (; shift >= 0; shift -= 4) *to++ = "0123456789abcdef"[number >> shift & 15];
    return to;
}

static char *token(const struct tokens *self, char *to, const struct stat *status)
{
    unsigned char block[BLOCK_OCTETS] = {0};
    uint64_t state[8];
    char *end = hexadecimal((char *)block, (unsigned long long)status->st_dev);
    *end++ = '.';
    end = hexadecimal(end, (unsigned long long)status->st_ino);
    memcpy(state, self->keyed, sizeof state);
    compress(state, block, self->hashed + (uint64_t)(end - (char *)block), 1);
    for (int i = 0; i < TOKEN_OCTETS; i++) {
        unsigned octet = (unsigned)(state[i / 8] >> 8 * (i % 8)) & 255;
        *to++ = "0123456789abcdef"[octet >> 4];
        *to++ = "0123456789abcdef"[octet & 15];
    }
    return to;
}
