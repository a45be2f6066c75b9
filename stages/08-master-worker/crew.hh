#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <functional>
#include <vector>

#include "app/shared.hh"
#include "app/shared_memory.hh"
#include "channel.hh"
#include "http/time.hh"
#include "net/fd.hh"

struct Worker {
  pid_t pid = 0;       // 0: not running
  net::Fd process;     // a pidfd: readable when the worker has ended
  net::Fd channel;     // the master's end
  bool takes = false;  // clients; no longer when it has shut its end, to drain
  http::Time start{};  // when it was started, or is to be
  http::Duration pause{};
};

// The worker processes: starts them, gives clients to the least busy one, and replaces who dies.
class Crew {
 public:
  static constexpr int most = 256;

  // What a worker does with its end of the channel, in the child. `load` counts its clients in
  // memory that the master sees: the master adds one, the worker takes it away.
  using Work = std::function<void(net::Fd channel, std::atomic<int>& load)>;

  Crew(int size, app::Shared& shared, Work work);

  void start_due(http::Time now);               // starts those whose time has come
  [[nodiscard]] http::Time next_start() const;  // Time::max(): all are running
  [[nodiscard]] bool is_empty() const;
  [[nodiscard]] int load() const;  // clients of all workers

  // False when nobody can take the client now: all channels are full, all workers are at their
  // descriptor limit, or dead. Worth another try a little later.
  [[nodiscard]] bool hand_over(const net::Fd& client);

  // Tells all workers that no more clients come: they finish and leave.
  void say_end();

  // To be called when `process` is readable: waits for the dead, and plans a successor.
  void bury(Worker& worker, http::Time now);

  [[nodiscard]] std::vector<Worker>& workers() { return workers_; }

 private:
  using Loads = std::array<std::atomic<int>, most>;

  void start(std::size_t i, http::Time now);
  [[noreturn]] void become_worker(std::size_t i, channel::Ends ends);
  [[nodiscard]] std::atomic<int>& load_of(const Worker& worker);

  app::Shared& shared_;
  Work work_;
  const int places_;  // of one worker: more descriptors than that it cannot have
  std::vector<Worker> workers_;
  app::SharedMemory<Loads> loads_ = app::map_shared<Loads>();
};
