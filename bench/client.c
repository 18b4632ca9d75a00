/* The load: one FTP client with many sessions, and the bare loops that no server can be cheaper than.
 *
 *   client load HOST PORT USER PASSWORD WORK SESSIONS SECONDS LIMIT ARGUMENT SIZE PROTECTION CONTENT
 *   client serve-file FILE        accept, sendfile the whole file, close: the floor for RETR
 *   client swallow FILE           accept, recv into FILE until the end, close: the floor for STOR
 *
 * `load` logs SESSIONS sessions in, says "ready", and waits for a line on stdin: the caller reads the server's CPU
 * clock in between, so that only WORK is measured. Then every session (a thread of its own, blocking sockets) repeats
 * WORK for SECONDS or LIMIT times, whichever ends first, and the last line is "done OPERATIONS NANOSECONDS RETRIES".
 * A second line on stdin lets it quit. EPSV that is answered 425 is tried again, as a person would; a wrong reply or a wrong number of octets ends it at once with status 1: a
 * server that answers fast and wrongly gets no figure.
 *
 * WORK: login (connect, USER, PASS, QUIT; nothing is logged in before), noop, retr, stor, list, mlsd, idle,
 * raw-retr and raw-stor (a bare connection to one of the loops). SIZE is what retr must receive and stor sends; for
 * list and mlsd it is the number of lines expected at least.
 *
 * PROTECTION is "clear", or "tls": AUTH TLS, PROT P, TLS 1.3 on both connections. A data connection resumes with the
 * newest ticket of its session, from whichever connection it came. What retr brings must then be the octets of the
 * file CONTENT, and must end with close_notify.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024, PATIENCE_S = 30, TRIES = 100, DOORWAY = 16 };

struct session {
    pthread_t thread;
    int number;
    int control;
    SSL *tls;          /* of the control connection, NULL in clear */
    SSL_SESSION *ticket;
    char line[4096];   /* what came on the control connection and was not yet used */
    size_t held;
    char *block;
};

static struct sockaddr_in server;
static const char *user, *password, *work, *argument;
static SSL_CTX *context;     /* NULL in clear */
static const char *content;  /* what retr must bring, NULL if only its length is looked at */
static long long size, limit;
static double seconds;
static int sessions;
static atomic_llong operations, retries;
static long long deadline;
static pthread_barrier_t logged_in, started, finished;
static sem_t doorway;  /* so many log in at once: a listen queue of 32, as vsftpd has it, would drop the rest for seconds */

static _Noreturn void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    flockfile(stderr);
    fprintf(stderr, "client: %s: ", work ? work : "floor");
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

static int dial(int port) {
    struct sockaddr_in to = server;
    if (port) to.sin_port = htons(port);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0) die("socket: %s", strerror(errno));
    struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int one = 1;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s, (struct sockaddr *)&to, sizeof to)) die("connect to port %d: %s", ntohs(to.sin_port), strerror(errno));
    return s;
}

static void send_all(int s, const char *data, size_t length) {
    while (length) {
        ssize_t n = send(s, data, length, MSG_NOSIGNAL);
        if (n <= 0) die("send: %s", strerror(errno));
        data += n;
        length -= n;
    }
}

static _Noreturn void die_of_tls(const char *what) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    die("%s: %s", what, reason ? reason : errno ? strerror(errno) : "the connection ended without close_notify");
}

static int keep_ticket(SSL *tls, SSL_SESSION *ticket) {
    struct session *me = SSL_get_app_data(tls);
    SSL_SESSION_free(me->ticket);
    me->ticket = ticket;
    return 1;
}

static SSL *begin_tls(struct session *me, int s, const char *what) {
    SSL *tls = SSL_new(context);
    if (!tls || !SSL_set_fd(tls, s)) die_of_tls(what);
    SSL_set_app_data(tls, me);
    if (me->ticket) SSL_set_session(tls, me->ticket);
    errno = 0;
    if (SSL_connect(tls) != 1) die_of_tls(what);
    return tls;
}

static ssize_t receive(SSL *tls, int s, void *data, size_t length) {
    if (!tls) return recv(s, data, length, 0);
    errno = 0;
    int n = SSL_read(tls, data, length);
    if (n <= 0 && SSL_get_error(tls, n) != SSL_ERROR_ZERO_RETURN) die_of_tls("SSL_read");
    return n;
}

static void transmit(SSL *tls, int s, const char *data, size_t length) {
    if (!tls) send_all(s, data, length);
    else if (SSL_write(tls, data, length) != (int)length) die_of_tls("SSL_write");
}

/* Reads one whole reply, several lines or one; its last line is left in `last`. */
static int reply(struct session *me, char *last, size_t room) {
    int opening = 0;
    for (;;) {
        char *end = memchr(me->line, '\n', me->held);
        if (!end) {
            if (me->held == sizeof me->line) die("a reply line of more than %zu octets", sizeof me->line);
            ssize_t n = receive(me->tls, me->control, me->line + me->held, sizeof me->line - me->held);
            if (n < 0 && errno == EAGAIN) die("no reply for %d s", PATIENCE_S);
            if (n <= 0) die("the control connection %s", n ? strerror(errno) : "was closed");
            me->held += n;
            continue;
        }
        size_t length = end - me->line + 1;
        int code = length > 4 ? atoi(me->line) : 0;
        char separator = length > 4 ? me->line[3] : 0;
        size_t kept = length < room ? length : room - 1;
        memcpy(last, me->line, kept);
        last[kept] = 0;
        me->held -= length;
        memmove(me->line, end + 1, me->held);
        if (code >= 100 && code < 600 && separator == '-' && !opening) opening = code;
        else if (code >= 100 && code < 600 && separator == ' ' && (!opening || code == opening)) return code;
    }
}

static void expect(struct session *me, int class) {
    char last[512];
    int code = reply(me, last, sizeof last);
    if (code / 100 != class) die("expected %dxx, got: %s", class, last);
}

static void command(struct session *me, const char *verb, const char *parameter) {
    char line[600];
    int n = snprintf(line, sizeof line, parameter ? "%s %s\r\n" : "%s\r\n", verb, parameter);
    transmit(me->tls, me->control, line, n);
}

static void log_in(struct session *me) {
    me->control = dial(0);
    me->held = 0;
    expect(me, 2);
    if (context) {
        command(me, "AUTH", "TLS");
        expect(me, 2);
        me->tls = begin_tls(me, me->control, "handshake of the control connection");
    }
    command(me, "USER", user);
    expect(me, 3);
    command(me, "PASS", password);
    expect(me, 2);
    if (context) {
        command(me, "PBSZ", "0");
        expect(me, 2);
        command(me, "PROT", "P");
        expect(me, 2);
    }
}

static void quit(struct session *me) {
    command(me, "QUIT", NULL);
    expect(me, 2);
    if (me->tls) {
        SSL_shutdown(me->tls);
        SSL_free(me->tls);
        SSL_SESSION_free(me->ticket);
        me->tls = NULL;
        me->ticket = NULL;
    }
    close(me->control);
}

static int extended_passive(struct session *me) {
    char last[512];
    int code = 425;
    for (int tries = 0; code == 425 && tries < TRIES; tries++) {
        if (tries) atomic_fetch_add(&retries, 1);
        command(me, "EPSV", NULL);
        code = reply(me, last, sizeof last);
    }
    char *at = strstr(last, "|||");
    if (code != 229 || !at) die("EPSV got: %s", last);
    return dial(atoi(at + 3));
}

/* In TLS the handshake comes behind the verb; servers differ in whether 150 is said before it or after. */
static SSL *protect(struct session *me, int data) {
    return context ? begin_tls(me, data, "handshake of the data connection") : NULL;
}

static void hang_up(SSL *tls, int data) {
    if (tls) {
        SSL_shutdown(tls);
        SSL_free(tls);
    }
    close(data);
}

static void take(SSL *tls, struct session *me, int data, bool count_lines) {
    long long got = 0, lines = 0;
    for (;;) {
        ssize_t n = receive(tls, data, me->block, BLOCK);
        if (n < 0) die("data connection: %s", strerror(errno));
        if (!n) break;
        if (content && !count_lines && (got + n > size || memcmp(me->block, content + got, n)))
            die("%s: other octets came than those of the file", argument);
        got += n;
        if (count_lines)
            for (char *p = me->block; (p = memchr(p, '\n', me->block + n - p)); p++) lines++;
    }
    hang_up(tls, data);
    if (count_lines ? lines < size : got != size)
        die("%s: %lld octets in %lld lines came, %lld %s expected", argument, got, lines, size, count_lines ? "lines" : "octets");
}

static void give(SSL *tls, struct session *me, int data) {
    for (long long left = size; left > 0;) {
        size_t n = left < BLOCK ? left : BLOCK;
        transmit(tls, data, me->block, n);
        left -= n;
    }
}

/* Sends our end of data and reads until the server closes. Tickets that lie unread when we close would make the close a
 * reset, which can take the end of the upload with it. */
static void settle(SSL *tls, struct session *me, int data) {
    SSL_shutdown(tls);
    shutdown(data, SHUT_WR);
    while (recv(data, me->block, BLOCK, 0) > 0) {}
}

static void once(struct session *me) {
    if (!strcmp(work, "login")) {
        log_in(me);
        quit(me);
    } else if (!strcmp(work, "noop")) {
        command(me, "NOOP", NULL);
        expect(me, 2);
    } else if (!strcmp(work, "retr") || !strcmp(work, "list") || !strcmp(work, "mlsd")) {
        int data = extended_passive(me);
        command(me, *work == 'r' ? "RETR" : *work == 'l' ? "LIST" : "MLSD", argument);
        expect(me, 1);
        take(protect(me, data), me, data, *work != 'r');
        expect(me, 2);
    } else if (!strcmp(work, "stor")) {
        char name[512];
        snprintf(name, sizeof name, "%s-%d", argument, me->number);
        int data = extended_passive(me);
        command(me, "STOR", name);
        expect(me, 1);
        SSL *tls = protect(me, data);
        give(tls, me, data);
        if (tls) settle(tls, me, data);
        hang_up(tls, data);
        expect(me, 2);
    } else if (!strcmp(work, "raw-retr")) {
        take(NULL, me, dial(0), false);
    } else if (!strcmp(work, "raw-stor")) {
        int data = dial(0);
        give(NULL, me, data);
        shutdown(data, SHUT_WR);
        if (recv(data, me->block, 1, 0) != 0) die("the loop did not close");
        close(data);
    } else {
        die("no such work");
    }
}

static bool keeps_session(void) { return strcmp(work, "login") && strncmp(work, "raw-", 4); }

static void *run(void *session) {
    struct session *me = session;
    if (!(me->block = malloc(BLOCK))) die("no memory");
    memset(me->block, 'x', BLOCK);
    if (keeps_session()) {
        sem_wait(&doorway);
        log_in(me);
        sem_post(&doorway);
        command(me, "TYPE", "I");
        expect(me, 2);
    }
    pthread_barrier_wait(&logged_in);
    pthread_barrier_wait(&started);
    long long done = 0;
    if (strcmp(work, "idle"))
        do {
            once(me);
            done++;
        } while (done < limit && now() < deadline);
    atomic_fetch_add(&operations, done);
    pthread_barrier_wait(&finished);
    return NULL;
}

static void await_line(void) {
    char line[16];
    if (!fgets(line, sizeof line, stdin)) _exit(2);  /* the caller is gone */
}

static int load(char **argv) {
    server.sin_family = AF_INET;
    if (inet_pton(AF_INET, argv[0], &server.sin_addr) != 1) die("not an address: %s", argv[0]);
    server.sin_port = htons(atoi(argv[1]));
    user = argv[2];
    password = argv[3];
    work = argv[4];
    sessions = atoi(argv[5]);
    seconds = atof(argv[6]);
    limit = atoll(argv[7]);
    argument = argv[8];
    size = atoll(argv[9]);
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(argv[10], "tls")) {
        context = SSL_CTX_new(TLS_client_method());
        if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION)) die_of_tls("SSL_CTX_new");
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, keep_ticket);
    }
    if (strcmp(argv[11], "-")) {
        int file = open(argv[11], O_RDONLY | O_CLOEXEC);
        void *map = file < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
        if (map == MAP_FAILED) die("%s: %s", argv[11], strerror(errno));
        content = map;
        close(file);
    }
    struct session *all = calloc(sessions, sizeof *all);
    sem_init(&doorway, 0, DOORWAY);
    pthread_barrier_init(&logged_in, NULL, sessions + 1);
    pthread_barrier_init(&started, NULL, sessions + 1);
    pthread_barrier_init(&finished, NULL, sessions + 1);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 * 1024);
    for (int i = 0; i < sessions; i++) {
        all[i].number = i;
        if (pthread_create(&all[i].thread, &attributes, run, &all[i])) die("no thread for session %d", i);
    }
    pthread_barrier_wait(&logged_in);
    puts("ready");
    fflush(stdout);
    await_line();
    long long start = now();
    deadline = start + (long long)(seconds * 1e9);
    pthread_barrier_wait(&started);
    pthread_barrier_wait(&finished);
    printf("done %lld %lld %lld\n", (long long)operations, now() - start, (long long)retries);
    fflush(stdout);
    await_line();
    if (keeps_session())
        for (int i = 0; i < sessions; i++) quit(&all[i]);
    return 0;
}

static int listen_anywhere(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s, (struct sockaddr *)&at, sizeof at) || listen(s, 16) || getsockname(s, (struct sockaddr *)&at, &length))
        die("listen: %s", strerror(errno));
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return s;
}

static _Noreturn void serve_file(const char *path) {
    int listener = listen_anywhere(), file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status)) die("%s: %s", path, strerror(errno));
    for (;;) {
        int s = accept(listener, NULL, NULL);
        if (s < 0) die("accept: %s", strerror(errno));
        for (off_t at = 0; at < status.st_size;)
            if (sendfile(s, file, &at, status.st_size - at) <= 0) die("sendfile: %s", strerror(errno));
        close(s);
    }
}

static _Noreturn void swallow(const char *path) {
    int listener = listen_anywhere();
    char *block = malloc(BLOCK);
    for (;;) {
        int s = accept(listener, NULL, NULL), file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (s < 0 || file < 0) die("%s: %s", path, strerror(errno));
        ssize_t n;
        while ((n = recv(s, block, BLOCK, 0)) > 0)
            if (write(file, block, n) != n) die("%s: %s", path, strerror(errno));
        close(file);
        close(s);
    }
}

int main(int argc, char **argv) {
    if (argc == 14 && !strcmp(argv[1], "load")) return load(argv + 2);
    if (argc == 3 && !strcmp(argv[1], "serve-file")) serve_file(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "swallow")) swallow(argv[2]);
    fputs("usage: client load HOST PORT USER PASSWORD WORK SESSIONS SECONDS LIMIT ARGUMENT SIZE PROTECTION CONTENT\n"
          "       client serve-file FILE | client swallow FILE\n", stderr);
    return 2;
}
