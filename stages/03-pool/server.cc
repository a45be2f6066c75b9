// 03-pool: N threads and a bounded queue.
//
// Instead of a thread for every client there is a fixed crew that takes clients from a queue.
// Nothing is created while we serve, and no crowd can make us run out of memory: when the queue is
// full we stop accepting, and the kernel's listen backlog holds the others back. The weakness is
// that a client occupies a worker as long as it is connected, even when it says nothing. So a
// worker may rest with an idle client only while nobody waits.

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "net/error.hh"
#include "net/fd.hh"
#include "server/converse.hh"
#include "server/run.hh"

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto accept_again = std::chrono::milliseconds(50);

// The queue, its workers, and the clients with whom they rest.
class Pool final : public server::Rests {
 public:
  // Hires --workers threads, each of which does work().
  explicit Pool(server::Context& context)
      : context_(context), free_workers_(static_cast<std::size_t>(context.options.workers)) {
    //@lab 03 start the workers
    for (int i = 0; i < context.options.workers; ++i) workers_.emplace_back([this] { work(); });
    //| lab::not_implemented("lab 03: Pool::Pool()",
    //|                      "workers_ gets --workers threads that do work(), here and only here",
    //|                      context_);
    //@end
  }

  // Lets the workers go once what is queued has been served (std::jthread joins them).
  ~Pool() override {
    //@lab 03 tell every worker that nobody else will come
    const std::lock_guard lock(mutex_);
    closing_ = true;
    not_empty_.notify_all();
    //| lab::not_implemented("lab 03: Pool::~Pool()",
    //|                      "set closing_ where it cannot be missed; who may be asleep now?");
    //@end
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Queues a client; waits while --queue of them are queued. If no worker is free for it, the one
  // that has rested longest has to leave.
  void push(net::Fd client) {
    //@lab 03 wait for a place, queue the client, wake a worker; if none is free, make one free
    std::unique_lock lock(mutex_);
    const auto most = static_cast<std::size_t>(context_.options.queue);
    not_full_.wait(lock, [&] { return queue_.size() < most; });
    queue_.push_back(std::move(client));
    if (all_taken() && !resting_.empty()) {
      const auto longest = longest_rest();
      ::shutdown(longest->first, SHUT_RD);
      resting_.erase(longest);
    }
    lock.unlock();  // or whom we call would wait for the lock
    not_empty_.notify_one();
    //| lab::not_implemented("lab 03: Pool::push()",
    //|                      "not_full_ for the place, not_empty_ for a worker; then all_taken()?",
    //|                      client);
    //@end
  }

  bool crowded() override {
    const std::lock_guard lock(mutex_);
    return all_taken();
  }

  // A client rests from now on, unless somebody waits for its worker: then it has to leave. A shut
  // down socket still gives what has come: only a client that really says nothing leaves.
  void begin(int fd) override {
    //@lab 03 write it down, or wake it at once
    const std::lock_guard lock(mutex_);
    if (all_taken())
      ::shutdown(fd, SHUT_RD);
    else
      resting_[fd] = Clock::now();
    //| lab::not_implemented("lab 03: Pool::begin()",
    //|                      "resting_, since now; how would recv(2) come back at once?", fd);
    //@end
  }

  // It does not rest any more, whatever the reason. The number may soon be another client's.
  void end(int fd) override {
    //@lab 03 forget it
    const std::lock_guard lock(mutex_);
    resting_.erase(fd);
    //| lab::not_implemented("lab 03: Pool::end()", "push() may have taken it out already", fd);
    //@end
  }

 private:
  using Resting = std::unordered_map<int, Clock::time_point>;  // descriptors, and since when

  // The one that has rested longest, if there is one.
  Resting::iterator longest_rest() {
    return std::ranges::min_element(resting_, {}, &Resting::value_type::second);
  }

  // Somebody waits for whom no worker is free; one that has been called may not be awake yet.
  [[nodiscard]] bool all_taken() const { return queue_.size() > free_workers_; }

  // A worker's life: takes clients out of the queue and talks to each until it leaves. Ends when
  // the pool closes and nobody is queued any more.
  void work() {
    //@lab 03 sleep until there is somebody, take one, talk to it without the lock
    std::unique_lock lock(mutex_);
    for (;;) {
      // In a loop, as wait() does it: another worker may have been faster, or nobody called.
      not_empty_.wait(lock, [this] { return !queue_.empty() || closing_; });
      if (queue_.empty()) return;
      net::Fd client = std::move(queue_.front());
      queue_.pop_front();
      --free_workers_;
      not_full_.notify_one();
      lock.unlock();

      server::converse(client, context_, *this);
      context_.service.shared().connections_closed();
      client.reset();

      lock.lock();
      ++free_workers_;
    }
    //| lab::not_implemented("lab 03: Pool::work()",
    //|                      "wait on not_empty_; all_taken() relies on your free_workers_",
    //|                      closing_);
    //@end
  }

  server::Context& context_;
  std::mutex mutex_;  // guards what follows, never held while talking to a client
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::deque<net::Fd> queue_;
  Resting resting_;
  std::size_t free_workers_;  // who have no client; from the first moment, awake or not
  bool closing_ = false;
  std::vector<std::jthread> workers_;  // last: joined before the rest is destroyed
};

void serve(server::Context& context) {
  Pool pool(context);
  const server::Stop::Wake wake(context.listener.get());
  //@lab 03 accept as in lab 00, and queue each client
  while (!context.stop.requested()) {
    net::Fd client(::accept4(context.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.is_open()) {
      const net::AcceptError error = net::accept_error(errno);
      if (error == net::AcceptError::stopped) break;
      if (error == net::AcceptError::broken) net::throw_errno("accept4");
      if (error == net::AcceptError::no_resources) std::this_thread::sleep_for(accept_again);
      continue;
    }
    context.service.shared().connection_opened();
    pool.push(std::move(client));
  }
  //| lab::not_implemented("lab 03: serve()",
  //|                      "copy your loop of lab 00, but push() instead of converse()",
  //|                      accept_again);
  //@end
}

}  // namespace

int main(int argc, char** argv) {
  const server::Stage stage{
      .name = "03-pool", .idea = "N threads and a bounded queue", .workers = 64, .queue = 128};
  return server::run(argc, argv, stage, net::Listener::Mode::blocking, serve);
}
