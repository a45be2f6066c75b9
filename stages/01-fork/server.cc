// 01-fork: a process per connection.
//
// fork(2) makes a second process that holds the same descriptors; the child talks to the client,
// the parent goes on accepting. The kernel does all the concurrency, and the walls between
// processes are thick: a child that crashes hurts nobody else. The price is a process per client,
// and that everything now happens twice: each side has to close what belongs to the other, and the
// parent has to collect its dead.

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "net/error.hh"
#include "net/fd.hh"
#include "server/converse.hh"
#include "server/log.hh"
#include "server/run.hh"

namespace {

using server::Stop;

constexpr auto accept_again = std::chrono::milliseconds(50);

// What the SIGCHLD handler needs.
std::atomic<int> children{0};
app::Shared* shared = nullptr;

// Collects the children that have ended and takes them out of our books. It interrupts whatever is
// going on: all it calls must be safe in a handler (signal-safety(7)), and errno must survive it.
void on_child_ended(int) {
  //@lab 01 collect every child that has ended
  // Signals do not queue: one SIGCHLD may stand for many children, so until there is none left.
  const int saved = errno;
  for (pid_t pid = 0; (pid = ::waitpid(-1, nullptr, WNOHANG)) > 0; --children) {
    shared->process_ended(pid);
    shared->connections_closed();
  }
  errno = saved;
  //| lab::not_implemented("lab 01: on_child_ended()",
  //|                      "waitpid(2): how many children can one SIGCHLD stand for?", children);
  //@end
}

// From now on SIGCHLD runs on_child_ended().
void collect_children() {
  //@lab 01 install the handler
  struct sigaction action {};
  action.sa_handler = on_child_ended;
  action.sa_flags = SA_RESTART | SA_NOCLDSTOP;  // accept(2) need not notice
  net::checked(::sigaction(SIGCHLD, &action, nullptr), "sigaction");
  //| lab::not_implemented("lab 01: collect_children()", "sigaction(2) for SIGCHLD; which flags?",
  //|                      on_child_ended);
  //@end
}

// The child's whole life; `parent` is the process that forked it.
[[noreturn]] void serve_client(const net::Fd& client, server::Context& context, pid_t parent) {
  //@lab 01 the child: let go of what is the parent's, talk to the client, end
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody would stop us or collect us
  if (::getppid() != parent) ::_exit(1);
  ::signal(SIGCHLD, SIG_DFL);
  context.listener.close();  // or the port stays taken as long as this client stays
  context.stop.in_child();
  server::converse(client, context);
  ::_exit(0);  // not exit(): what the parent has registered for its end is not ours to run
  //| lab::not_implemented("lab 01: serve_client()",
  //|                      "which of the parent's things does a child hold, and must not?",
  //|                      client, context, parent);
  //@end
}

// Makes a child that talks to `client`, and writes it into our books; without a child the client is
// turned away.
void start_child(net::Fd client, server::Context& context) {
  //@lab 01 fork; the child serves, the parent goes on
  const pid_t parent = ::getpid();
  const Stop::Blocked blocked;  // until the child is in our books, lest it ends before
  const pid_t child = ::fork();
  if (child == 0) serve_client(client, context, parent);
  if (child == -1) {
    server::log("fork: no further process; a client is turned away");
    return server::turn_away(client, context);
  }
  ++children;
  shared->process_started(child);
  shared->connection_opened();
  // Here our copy of the client's descriptor is closed: while we held it, the client would not see
  // the end of the connection when the child closes its own.
  //| lab::not_implemented("lab 01: start_child()",
  //|                      "fork(2) returns twice, or fails: three ways to go on",
  //|                      serve_client, client, context);
  //@end
}

// Sleeps until signals have made an end of the condition. It is tested with the signals blocked, or
// one could come between the test and the sleep and be missed.
template <typename Condition>
void wait_while(Condition condition) {
  Stop::Blocked blocked;
  while (condition()) blocked.sleep();
}

// Asks every child to finish.
void stop_children() {
  //@lab 01 SIGTERM to each child
  const Stop::Blocked blocked;  // nobody is collected now, so each pid is still who we think
  for (const auto& place : shared->pids)
    if (const pid_t pid = place; pid != 0 && pid != ::getpid()) ::kill(pid, SIGTERM);
  //| lab::not_implemented("lab 01: stop_children()",
  //|                      "shared->pids has everybody who runs, ourselves included");
  //@end
}

void serve(server::Context& context) {
  shared = &context.service.shared();
  collect_children();
  {
    const Stop::Wake wake(context.listener.get());
    //@lab 01 accept as in lab 00, and start a child for each client
    while (!context.stop.requested()) {
      // Every client costs a process: beyond the cap they wait in the listen backlog.
      wait_while([&context] {
        return children >= context.options.max_connections && !context.stop.requested();
      });
      net::Fd client(::accept4(context.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.is_open()) {
        const net::AcceptError error = net::accept_error(errno);
        if (error == net::AcceptError::stopped) break;
        if (error == net::AcceptError::broken) net::throw_errno("accept4");
        if (error == net::AcceptError::no_resources) std::this_thread::sleep_for(accept_again);
        continue;
      }
      start_child(std::move(client), context);
    }
    //| lab::not_implemented("lab 01: serve()",
    //|                      "the loop of lab 00, but start_child() instead of converse()",
    //|                      accept_again, start_child);
    //@end
  }
  //@lab 01 nobody new; let the children finish, and wait for them
  context.listener.close();
  stop_children();
  wait_while([] { return children > 0; });
  //| lab::not_implemented("lab 01: serve(), the end",
  //|                      "who must have ended before the parent may?", stop_children);
  //@end
}

}  // namespace

int main(int argc, char** argv) {
  const server::Stage stage{
      .name = "01-fork", .idea = "a process per connection", .connections = 1000};
  return server::run(argc, argv, stage, net::Listener::Mode::blocking, serve);
}
