// A process whose memory, thread names and mapped file all try to act on a terminal.
// usage: hostile-text FOLDER; maps a file of a hostile name in it, prints "ready", then sleeps until it is killed.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { CHUNKS = 800, KINDS = 8, THREADS = 3 };

// Clear, clipboard, title, C1 controls, wide and astral characters, invalid UTF-8 with a bidi override, DCS, ASCII controls.
static const char *const TEXTS[KINDS] = {
    "\x1b[2J\x1b[1;1Howned",
    "\x1b]52;c;b3duZWQ=\x07",
    "\x1b]0;owned\x1b\\",
    "\x9b" "31m\xc2\x9b" "2J\x9d" "0;x\x9c",
    "\xe3\x81\x82\xe7\x9b\xae\xf0\x9f\x98\x80",
    "\xff\xfe\xc3\x28\xe2\x80\xae\xed\xa0\x80",
    "\x1bP0;0|x\x1b\\\x1b[?1049l",
    "\r\n\t\b\x07\x0e\x7f",
};

// At most 15 bytes each. The last is cut by the kernel in the middle of a character.
static const char *const NAMES[THREADS] = {
    "a\x1b[2Jb\xe2\x80\xae\xff",
    "\xe7\x9b\xae\xe3\x81\x82\x1b]0;x\x07",
    "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xe7\x9b\xae\xe7\x9b\xae",
};

static pthread_barrier_t named;

static void *wait_for_ever(void *name)
{
    prctl(PR_SET_NAME, name);
    free(malloc(100));
    pthread_barrier_wait(&named);
    for (;;)
        pause();
    return name;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    for (int i = 0; i < CHUNKS; i++) {
        const char *text = TEXTS[i % KINDS];
        size_t size = 64 + i % 500, length = strlen(text);
        char *chunk = malloc(size);
        memset(chunk, 0, size);
        for (size_t at = 0; at + length < size; at += length)
            memcpy(chunk + at, text, length);
        if (i % 5 == 0)
            free(chunk);
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/a\x1b[31m\xe2\x80\xae\xe7\x9b\xae\xff\x07.bin", argv[1]);
    int file = open(path, O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, 8192) != 0)
        return 1;
    if (mmap(0, 8192, PROT_READ, MAP_SHARED, file, 0) == MAP_FAILED)
        return 1;
    prctl(PR_SET_NAME, "\x1b]52;c;b3du\x07\xe7\x9b\xae");
    pthread_barrier_init(&named, 0, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, 0, wait_for_ever, (void *)NAMES[i]) != 0)
            return 1;
    }
    pthread_barrier_wait(&named);
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}
