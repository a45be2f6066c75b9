// 00-iterative: one client at a time.
//
// The simplest server there is: take a connection, talk until it ends, take the next. Everybody
// else waits in the listen backlog, where the kernel has already shaken hands on our behalf. It is
// correct, it is fast as long as clients are quick, and one idle client stops everybody until its
// timeout: see what happens to a second curl while a first connection says nothing.

#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "net/error.hh"
#include "net/fd.hh"
#include "server/converse.hh"
#include "server/run.hh"

namespace {

// How long to wait for a descriptor that another process may free.
constexpr auto accept_again = std::chrono::milliseconds(50);

void serve(server::Context& context) {
  const server::Stop::Wake wake(context.listener.get());  // a stop signal ends accept4(): EINVAL
  //@lab 00 accept one client after another, and talk to each until it ends
  while (!context.stop.requested()) {
    const net::Fd client(::accept4(context.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.is_open()) {
      const net::AcceptError error = net::accept_error(errno);
      if (error == net::AcceptError::stopped) break;
      if (error == net::AcceptError::broken) net::throw_errno("accept4");
      if (error == net::AcceptError::no_resources) std::this_thread::sleep_for(accept_again);
      continue;
    }
    context.service.shared().connection_opened();
    server::converse(client, context);
    context.service.shared().connections_closed();
  }
  //| lab::not_implemented("lab 00: serve()",
  //|                      "accept4, converse, close; accept_error() says what a failure means",
  //|                      accept_again);
  //@end
}

}  // namespace

int main(int argc, char** argv) {
  const server::Stage stage{.name = "00-iterative", .idea = "one client at a time"};
  return server::run(argc, argv, stage, net::Listener::Mode::blocking, serve);
}
