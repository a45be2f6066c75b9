// 02-thread: a thread per connection.
//
// Threads share one memory and one table of descriptors, so starting one is ten times cheaper than
// fork(2), and nothing has to be closed twice. In exchange nothing is closed by itself either: a
// descriptor has one owner here, and that is its thread. Each client still costs a stack and two
// context switches per request, and a crash takes everybody down.

#include <pthread.h>
#include <sys/socket.h>

#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>

#include "net/error.hh"
#include "net/fd.hh"
#include "server/converse.hh"
#include "server/log.hh"
#include "server/run.hh"

namespace {

constexpr auto accept_again = std::chrono::milliseconds(50);
#ifdef __SANITIZE_THREAD__
constexpr std::size_t stack_size = 2048 * 1024;  // ThreadSanitizer keeps its own things there, too
#else
constexpr std::size_t stack_size = 128 * 1024;  // bytes; the default of 8 MiB would be waste
#endif

// The clients that are being served, each with the thread that serves it.
class Clients {
 public:
  explicit Clients(server::Context& context) : context_(context) {}

  // Nothing may be destroyed under a running thread: waits until all have left.
  ~Clients() {
    //@lab 02 wait for the last client to leave, then for the threads to end
    std::unique_lock lock(mutex_);
    left_.wait(lock, [this] { return running_.empty(); });
    lock.unlock();
    join_finished();
    //| lab::not_implemented("lab 02: ~Clients()",
    //|                      "sleep until nobody is running_; who joins what is left?");
    //@end
  }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  // Starts a thread that talks to this client and owns its socket. If there can be no further
  // thread, the client is turned away, and nothing else happens.
  void start(net::Fd socket) {
    //@lab 02 a place in the books, a thread, and what if there is none
    join_finished();
    std::unique_lock lock(mutex_);
    const auto client = running_.insert(running_.end(), {std::move(socket), {}});
    lock.unlock();  // it is in the books: the new thread may end before our next line
    try {
      client->thread = std::thread([this, client] { serve(client); });
      context_.service.shared().connection_opened();
    } catch (const std::system_error&) {  // EAGAIN: no further thread
      server::log("pthread_create: no further thread; a client is turned away");
      server::turn_away(client->socket, context_);
      lock.lock();
      running_.erase(client);
    }
    //| lab::not_implemented("lab 02: Clients::start()",
    //|                      "socket and thread go into running_ together; std::thread may throw",
    //|                      socket);
    //@end
  }

  // Every client costs a stack: beyond the cap they wait in the listen backlog.
  void wait_for_room() {
    //@lab 02 sleep while --max-connections clients are served
    std::unique_lock lock(mutex_);
    left_.wait(lock, [this] { return running_.size() < context_.max_connections(); });
    //| lab::not_implemented("lab 02: Clients::wait_for_room()",
    //|                      "a condition variable: left_ is notified whenever a client leaves",
    //|                      context_);
    //@end
  }

 private:
  struct Client {
    net::Fd socket;
    std::thread thread;
  };

  // What a thread does: talks to its client, closes the socket, and goes from running_ to
  // finished_, where others find it.
  void serve(std::list<Client>::iterator client) {
    //@lab 02 the thread: talk, close, leave the books, say so
    server::converse(client->socket, context_);
    client->socket.reset();
    context_.service.shared().connections_closed();
    const std::lock_guard lock(mutex_);
    finished_.splice(finished_.end(), running_, client);
    left_.notify_one();
    //| lab::not_implemented("lab 02: Clients::serve()",
    //|                      "converse(), close, connections_closed(), then the books, locked",
    //|                      client);
    //@end
  }

  // Joins the threads of clients who have left. A thread cannot join itself, so it leaves itself to
  // whoever comes next.
  void join_finished() {
    //@lab 02 join them, and let nobody wait for that
    std::list<Client> finished;
    {
      const std::lock_guard lock(mutex_);
      finished.swap(finished_);
    }
    for (Client& client : finished) client.thread.join();
    //| lab::not_implemented("lab 02: Clients::join_finished()",
    //|                      "what would happen to the others if you joined with mutex_ held?");
    //@end
  }

  server::Context& context_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable left_;
  std::list<Client> running_;  // a list: its elements stay where their threads look for them
  std::list<Client> finished_;
};

void use_small_stacks() {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, stack_size);
  ::pthread_setattr_default_np(&attributes);  // std::thread has no say in this
  ::pthread_attr_destroy(&attributes);
}

void serve(server::Context& context) {
  use_small_stacks();
  Clients clients(context);
  const server::Stop::Wake wake(context.listener.get());
  //@lab 02 accept as in lab 00; wait for room before, start a thread after
  while (!context.stop.requested()) {
    clients.wait_for_room();
    net::Fd client(::accept4(context.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.is_open()) {
      const net::AcceptError error = net::accept_error(errno);
      if (error == net::AcceptError::stopped) break;
      if (error == net::AcceptError::broken) net::throw_errno("accept4");
      if (error == net::AcceptError::no_resources) std::this_thread::sleep_for(accept_again);
      continue;
    }
    clients.start(std::move(client));
  }
  //| lab::not_implemented("lab 02: serve()",
  //|                      "your loop of lab 00, with wait_for_room() before and start() after",
  //|                      accept_again);
  //@end
}

}  // namespace

int main(int argc, char** argv) {
  const server::Stage stage{
      .name = "02-thread", .idea = "a thread per connection", .connections = 10'000};
  return server::run(argc, argv, stage, net::Listener::Mode::blocking, serve);
}
