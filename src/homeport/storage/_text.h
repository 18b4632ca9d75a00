/* Numbers and dates as text. Each function writes to *to* and gives the place behind what it wrote. */

#define FIELD_OCTETS 24 /* more than any number or date needs */

/* The texts of a day in the Gregorian calendar; the same few days fill a listing. */
struct day {
    long long number;  /* since 1970 */
    char date[8];      /* YYYYMMDD */
    char month_day[6]; /* "Mon dd" */
};

static char *decimal(char *to, unsigned long long number, int width)
{
    char digits[FIELD_OCTETS];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    for (; width > count; width--) *to++ = ' ';
    while (count) *to++ = digits[--count];
    return to;
}

static char *padded(char *to, unsigned number, int digits)
{
    for (int at = digits - 1; at >= 0; at--, number /= 10) to[at] = (char)('0' + number % 10);
    return to + digits;
}

/* Days from the first of January of the year 1 to that of *year*. */
static long long days_before(long long year)
{
    year--;
    return 365 * year + year / 4 - year / 100 + year / 400;
}

/* Make *self* the day with that *number*, which lies in a year of four digits. */
static void set_day(struct day *self, long long number)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (number == self->number) return;
    self->number = number;
    long long since = number + days_before(1970);
    long long year = since / 366 + 1; /* too early by twenty years at most */
    while (days_before(year + 1) <= since) year++;
    long long left = since - days_before(year);
    int leap = days_before(year + 1) - days_before(year) == 366;
    int month = 0;
    while (left >= lengths[month] + (leap && month == 1)) {
        left -= lengths[month] + (leap && month == 1);
        month++;
    }
    unsigned day = (unsigned)left + 1;
    padded(padded(padded(self->date, (unsigned)year, 4), (unsigned)month + 1, 2), day, 2);
    memcpy(self->month_day, names + 3 * month, 3);
    self->month_day[3] = ' ';
    decimal(self->month_day + 4, day, 2);
}
