/* The crowd: one client with thousands of sessions in one thread, that are silent or read slowly.
 *
 *   crowd HOST PORT USER PASSWORD SOURCES
 *   crowd fill DIRECTORY COUNT             makes COUNT files of 0 to 6 octets there
 *
 * Sessions come from SOURCES addresses of loopback in turn (127.0.0.1, 127.0.0.2, ...), for the sake of the client's
 * ports and of limits by address. What to do is read from stdin, a line each:
 *
 *   login COUNT                   log COUNT more in          "in SESSIONS NANOSECONDS"
 *   retr COUNT NAME FILE RATE     COUNT of them fetch NAME, which must be the octets of FILE, at RATE octets a second
 *                                 "flowing NANOSECONDS" when each has had its first octet,
 *                                 "done NANOSECONDS MOST" when all are complete; MOST were under way at once
 *   quit                          QUIT of all                "gone NANOSECONDS"
 *
 * A wrong reply, a wrong octet, a session that hears something unasked or is closed ends it at once with status 1.
 *
 * A slow transfer must be slow for the server, too. Loopback has segments of 64 KiB, and a server's first window of ten
 * of them would swallow a file whole. So data connections ask for segments as they are on Ethernet, and have small
 * receive buffers. Still up to a megabyte of each may lie in the server's socket buffer, where its system has BBR:
 * the file must be larger than that.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    DOORWAY = 16,           /* log in at once: a listen queue of 32, as vsftpd has it, would drop the rest for seconds */
    SETTING_UP = 64,        /* data connections that are being made at once */
    PATIENCE_S = 60,        /* without any progress */
    SEGMENT = 1460,
    RECEIVE_BUFFER = 32768, /* the kernel takes it twice, for its own overhead */
    ROUND_MS = 200,         /* each transfer is read from once in a round */
    SLICES = 20,            /* of a round: not all at the same moment */
    TRIES = 100,
};

enum state { GREETING, NAME, PASSWORD, BINARY, IDLE, PASSIVE, OPENING, FLOWING, LEAVING, GONE };

struct session {
    int control, data;
    int number;
    enum state state;
    int opening;  /* the code of a reply of several lines that has begun, or 0 */
    int tries;
    bool ended;   /* the data connection was closed by the server */
    bool told;    /* 226 was said */
    long long got, due_from;
    size_t held;
    char line[600];
};

static struct sockaddr_in server;
static const char *user, *password;
static int sources, reactor;
static struct session **all;
static int sessions, room;

/* What is under way. */
static enum { NOTHING, LOGGING_IN, FETCHING, QUITTING } job;
static int wanted, started, setting_up, complete, first_octets, under_way, most;
static long long began, last_progress, rate, size;
static const char *content;
static char name[300];
static bool announced;
static char block[256 * 1024];

static _Noreturn void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("crowd: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1);
}

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int dial(const struct session *me, int port) {
    struct sockaddr_in from = {.sin_family = AF_INET}, to = server;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + me->number % sources);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (s < 0) die("a socket for session %d: %s", me->number, strerror(errno));
    if (port) {
        int segment = SEGMENT, buffer = RECEIVE_BUFFER;
        to.sin_port = htons(port);
        setsockopt(s, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    }
    /* The port is chosen when the peer is known, so that it need only be unused towards that peer. */
    setsockopt(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(s, (struct sockaddr *)&from, sizeof from) || connect(s, (struct sockaddr *)&to, sizeof to))
        die("session %d could not connect to port %d: %s", me->number, ntohs(to.sin_port), strerror(errno));
    if (fcntl(s, F_SETFL, O_NONBLOCK)) die("fcntl: %s", strerror(errno));
    return s;
}

static void command(struct session *me, enum state next, const char *verb, const char *parameter) {
    char line[600];
    int n = snprintf(line, sizeof line, parameter ? "%s %s\r\n" : "%s\r\n", verb, parameter);
    if (send(me->control, line, n, MSG_NOSIGNAL) != n) die("session %d, %s: %s", me->number, verb, strerror(errno));
    me->state = next;
}

static void settle_transfer(struct session *me) {
    if (!me->ended || !me->told) return;
    me->state = IDLE;
    complete++;
    under_way--;
}

/* A whole reply has come, of which the last line is *line*. */
static void answered(struct session *me, int code, const char *line) {
    int class = code / 100;
    last_progress = now();
    switch (me->state) {
        case GREETING:
            if (class != 2) break;
            return command(me, NAME, "USER", user);
        case NAME:
            if (class != 3) break;
            return command(me, PASSWORD, "PASS", password);
        case PASSWORD:
            if (class != 2) break;
            return command(me, BINARY, "TYPE", "I");
        case BINARY:
            if (class != 2) break;
            me->state = IDLE;
            setting_up--;
            complete++;
            return;
        case PASSIVE: {
            if (code == 425 && me->tries++ < TRIES) return command(me, PASSIVE, "EPSV", NULL);
            const char *at = strstr(line, "|||");
            if (code != 229 || !at) break;
            me->data = dial(me, atoi(at + 3));
            me->got = 0;
            me->ended = me->told = false;
            return command(me, OPENING, "RETR", name);
        }
        case OPENING:
            if (class != 1) break;
            me->state = FLOWING;
            me->due_from = now();
            setting_up--;
            under_way++;
            if (under_way > most) most = under_way;
            return;
        case FLOWING:
            if (class != 2) break;
            me->told = true;
            return settle_transfer(me);
        case LEAVING:
            if (class != 2) break;
            close(me->control);
            me->state = GONE;
            setting_up--;
            complete++;
            return;
        case IDLE: case GONE: break;
    }
    die("session %d in state %d got: %s", me->number, me->state, line);
}

/* Takes what has come on the control connection. */
static void listen_to(struct session *me) {
    while (me->state != GONE) {
        ssize_t n = recv(me->control, me->line + me->held, sizeof me->line - 1 - me->held, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) die("session %d: %s", me->number, strerror(errno));
        if (n == 0) die("session %d in state %d was closed by the server", me->number, me->state);
        me->held += n;
        for (char *end; me->state != GONE && (end = memchr(me->line, '\n', me->held));) {
            size_t length = end - me->line + 1;
            char line[sizeof me->line];
            memcpy(line, me->line, length);
            line[length] = 0;
            me->held -= length;
            memmove(me->line, end + 1, me->held);
            int code = length > 4 ? atoi(line) : 0;
            if (code < 100 || code > 599) {
                if (!me->opening) die("session %d got no reply: %s", me->number, line);
            } else if (line[3] == '-' && !me->opening) {
                me->opening = code;
            } else if (line[3] == ' ' && (!me->opening || code == me->opening)) {
                me->opening = 0;
                answered(me, code, line);
            }
        }
        if (me->held == sizeof me->line - 1) die("session %d got a line without an end", me->number);
    }
}

/* Reads what *me* may have read by now. */
static void read_slowly(struct session *me) {
    long long allowed = (now() - me->due_from) * rate / 1000000000LL;
    while (!me->ended && (me->got < allowed || me->got == size)) {
        long long most_now = allowed - me->got;
        if (most_now > (long long)sizeof block) most_now = sizeof block;
        if (most_now < 1) most_now = 1;
        ssize_t n = recv(me->data, block, most_now, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) die("session %d after %lld octets: %s", me->number, me->got, strerror(errno));
        last_progress = now();
        if (n == 0) {
            if (me->got != size) die("session %d got %lld octets of %lld", me->number, me->got, size);
            close(me->data);
            me->ended = true;
            return settle_transfer(me);
        }
        if (me->got + n > size || memcmp(block, content + me->got, n))
            die("session %d got other octets than those of the file, behind %lld", me->number, me->got);
        if (!me->got) first_octets++;
        me->got += n;
    }
}

static void begin_more(void) {
    int doorway = job == FETCHING ? SETTING_UP : DOORWAY;
    for (; job != NOTHING && started < wanted && setting_up < doorway; started++, setting_up++) {
        if (job == LOGGING_IN) {
            struct session *me = all[sessions] = calloc(1, sizeof *me);
            if (!me) die("no memory");
            me->number = sessions++;
            me->control = dial(me, 0);
            struct epoll_event event = {.events = EPOLLIN, .data.ptr = me};
            if (epoll_ctl(reactor, EPOLL_CTL_ADD, me->control, &event)) die("epoll: %s", strerror(errno));
        } else if (job == FETCHING) {
            /* From both ends of the row: those that have been silent for long, and the latest. */
            struct session *me = all[started % 2 ? started / 2 : sessions - 1 - started / 2];
            me->tries = 0;
            command(me, PASSIVE, "EPSV", NULL);
        } else {
            command(all[started], LEAVING, "QUIT", NULL);
        }
    }
}

static void progress(void) {
    if (job == NOTHING) return;
    if (now() - last_progress > PATIENCE_S * 1000000000LL)
        die("nothing has moved for %d s: %d of %d begun, %d complete", PATIENCE_S, started, wanted, complete);
    if (job == FETCHING && first_octets == wanted && !announced) {
        announced = true;
        printf("flowing %lld\n", now() - began);
    }
    if (complete == wanted) {
        long long took = now() - began;
        if (job == LOGGING_IN) printf("in %d %lld\n", sessions, took);
        if (job == FETCHING) printf("done %lld %d\n", took, most);
        if (job == QUITTING) printf("gone %lld\n", took);
        fflush(stdout);
        if (job == QUITTING) exit(0);
        job = NOTHING;
    }
    fflush(stdout);
}

static void told(void) {
    char line[1024], path[500];
    int count;
    if (!fgets(line, sizeof line, stdin)) _exit(2);  /* the caller is gone */
    if (job != NOTHING) die("still busy when told: %s", line);
    if (sscanf(line, "login %d", &count) == 1) {
        job = LOGGING_IN;
        if (sessions + count > room) die("%d sessions need more descriptors than the %d that are allowed", sessions + count, room);
    } else if (sscanf(line, "retr %d %299s %499s %lld", &count, name, path, &rate) == 4) {
        struct stat status;
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0 || fstat(file, &status)) die("%s: %s", path, strerror(errno));
        content = mmap(NULL, size = status.st_size, PROT_READ, MAP_SHARED, file, 0);
        if (content == MAP_FAILED) die("%s: %s", path, strerror(errno));
        close(file);
        if (count > sessions || sessions + count > room) die("not so many sessions or descriptors: %d", count);
        job = FETCHING;
    } else if (!strcmp(line, "quit\n")) {
        job = QUITTING;
        count = sessions;
    } else {
        die("told what it does not know: %s", line);
    }
    wanted = count;
    started = setting_up = complete = first_octets = under_way = most = 0;
    announced = false;
    began = last_progress = now();
}

static _Noreturn void attend(void) {
    static struct epoll_event events[512];
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(reactor, EPOLL_CTL_ADD, STDIN_FILENO, &input)) die("stdin: %s", strerror(errno));
    int slice = 0;
    long long next = now();
    for (;;) {
        int n = epoll_wait(reactor, events, 512, job == FETCHING ? 1 : job == NOTHING ? -1 : 1000);
        if (n < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr) listen_to(events[i].data.ptr);
            else told();
        }
        if (job == FETCHING && now() >= next) {
            next = now() + ROUND_MS * 1000000LL / SLICES;
            for (int i = slice; i < sessions; i += SLICES)
                if (all[i]->state == FLOWING) read_slowly(all[i]);
            slice = (slice + 1) % SLICES;
        }
        begin_more();
        progress();
    }
}

static int fill(const char *directory, int count) {
    int place = open(directory, O_RDONLY | O_DIRECTORY);
    if (place < 0) die("%s: %s", directory, strerror(errno));
    for (int i = 0; i < count; i++) {
        char entry[64];
        snprintf(entry, sizeof entry, "entry-%07d.dat", i);
        int file = openat(place, entry, O_WRONLY | O_CREAT | O_EXCL, 0644);
        if (file < 0 || (i % 7 && write(file, "xxxxxx", i % 7) != i % 7)) die("%s: %s", entry, strerror(errno));
        close(file);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && !strcmp(argv[1], "fill")) return fill(argv[2], atoi(argv[3]));
    if (argc != 6) {
        fputs("usage: crowd HOST PORT USER PASSWORD SOURCES | crowd fill DIRECTORY COUNT\n", stderr);
        return 2;
    }
    server.sin_family = AF_INET;
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) die("not an address: %s", argv[1]);
    server.sin_port = htons(atoi(argv[2]));
    user = argv[3];
    password = argv[4];
    sources = atoi(argv[5]);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit descriptors;
    if (getrlimit(RLIMIT_NOFILE, &descriptors)) die("getrlimit: %s", strerror(errno));
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    room = descriptors.rlim_max > 1000000 ? 1000000 : (int)descriptors.rlim_max - 16;
    all = calloc(room, sizeof *all);
    reactor = epoll_create1(EPOLL_CLOEXEC);
    setvbuf(stdin, NULL, _IONBF, 0);  /* a line left in a buffer would not wake epoll */
    attend();
}
