// An exporter that says who it is: exporter_scrapes_total{self="HOSTNAME",authorization="…"}. A scrape under labels
// of another Pod shows. It counts its scrapes, so that two who scrape it show as well.
//
//   exporter PORT
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static void end(int signal) { _exit(0); }

// The value of a header of that name, without what would end a label's value.
static void header(const char *request, const char *name, char *value, size_t size) {
    size_t at = 0, length = strlen(name);
    for (const char *line = request; (line = strstr(line, "\r\n")) != NULL;) {
        line += 2;
        if (strncasecmp(line, name, length) != 0) continue;
        for (line += length; *line && *line != '\r' && at + 1 < size; line++)
            if (*line != '"' && *line != '\\') value[at++] = *line;
        break;
    }
    value[at] = 0;
}

int main(int count, char **arguments) {
    if (count < 2) return 2;
    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET6, SOCK_STREAM, 0), off = 0, on = 1;
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off); // both families
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(arguments[1]))};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64)) {
        perror("exporter");
        return 1;
    }
    char self[256] = "";
    gethostname(self, sizeof self - 1);
    static char request[65536], answer[4096];
    char authorization[256];
    for (unsigned long scrapes = 1;; scrapes++) {
        int client = accept(listener, NULL, NULL);
        if (client < 0) continue;
        struct timeval patience = {.tv_sec = 2};
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        size_t length = 0;
        ssize_t got;
        request[0] = 0;
        while (length < sizeof request - 1 && strstr(request, "\r\n\r\n") == NULL &&
               (got = read(client, request + length, sizeof request - 1 - length)) > 0)
            request[length += got] = 0;
        header(request, "authorization: ", authorization, sizeof authorization);
        char body[1024];
        int size = snprintf(body, sizeof body,
                            "exporter_scrapes_total{self=\"%s\",authorization=\"%s\"} %lu\n", self,
                            authorization, scrapes);
        int whole = snprintf(answer, sizeof answer,
                             "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
                             "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
                             size, body);
        if (write(client, answer, whole) != whole) scrapes--;
        close(client);
    }
}
