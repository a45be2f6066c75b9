// The server that most tutorials stop at. The lecture shows what four ordinary events do to it.

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  const char* reply = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nHello, World!\n";
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8081)};
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  bind(listener, (struct sockaddr*)&address, sizeof address);
  listen(listener, 5);
  for (;;) {
    char request[1024];
    int client = accept(listener, NULL, NULL);
    read(client, request, sizeof request);
    write(client, reply, strlen(reply));
    close(client);
  }
}
