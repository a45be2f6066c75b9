#include "crew.hh"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <system_error>

#include "net/error.hh"
#include "server/log.hh"
#include "server/options.hh"
#include "server/stop.hh"

namespace {

using std::chrono::milliseconds;

// A worker that cannot live would otherwise be started as fast as the machine can: who dies young
// is replaced after a pause, and the pause doubles.
constexpr auto young = milliseconds(1000);
constexpr http::Duration shortest_pause = milliseconds(100);
constexpr http::Duration longest_pause = milliseconds(5000);

void lengthen(http::Duration& pause) {
  pause = std::clamp(pause * 2, shortest_pause, longest_pause);
}

std::string in_ms(http::Duration time) {
  return std::to_string(std::chrono::duration_cast<milliseconds>(time).count()) + " ms";
}

std::string fate(int status) {
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  return "left with status " + std::to_string(WEXITSTATUS(status));
}

// A worker that has come to a part of this program that is not written yet (exit status 70) has
// said so, and the next one would only say the same: the server ends with it. WNOWAIT looks at who
// has died without burying.
void end_if_unfinished(pid_t pid) {
  siginfo_t death{};
  const int flags = WEXITED | WNOHANG | WNOWAIT;
  if (::waitid(P_PID, static_cast<id_t>(pid), &death, flags) == -1) return;
  if (death.si_pid == pid && death.si_code == CLD_EXITED && death.si_status == 70) ::_exit(70);
}

}  // namespace

Crew::Crew(int size, app::Shared& shared, Work work)
    : shared_(shared),
      work_(std::move(work)),
      places_(server::descriptors_for_clients()),
      workers_(static_cast<std::size_t>(std::min(size, most))) {}

std::atomic<int>& Crew::load_of(const Worker& worker) {
  return (*loads_)[static_cast<std::size_t>(&worker - workers_.data())];
}

void Crew::start_due(http::Time now) {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    if (worker.pid != 0 || worker.start > now) continue;
    try {
      start(i, now);
    } catch (const std::system_error& error) {  // no process, or no descriptor, to be had just now
      server::log(std::string("a worker cannot be started: ") + error.what());
      lengthen(worker.pause);
      worker.start = now + worker.pause;
    }
  }
}

// Makes the worker of row `i`; throws std::system_error, and leaves nothing behind, if it cannot.
void Crew::start(std::size_t i, http::Time now) {
  //@lab 08 fork a worker, and write down who it is
  channel::Ends ends = channel::open();
  const server::Stop::Blocked blocked;  // a child that still has the parent's books must not hear
  const pid_t pid = net::checked(::fork(), "fork");
  if (pid == 0) become_worker(i, std::move(ends));
  Worker& worker = workers_[i];
  worker.process.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!worker.process.is_open()) {  // out of descriptors: its end would go unnoticed
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    net::throw_errno("pidfd_open");
  }
  worker.pid = pid;
  worker.channel = std::move(ends.master);
  worker.takes = true;
  worker.start = now;
  shared_.process_started(pid);
  //| lab::not_implemented("lab 08: Crew::start()",
  //|                      "a channel, fork(2), pidfd_open(2); crew.hh shows what a Worker is",
  //|                      i, now, shared_);
  //@end
}

// The child's whole life.
void Crew::become_worker(std::size_t i, channel::Ends ends) {
  //@lab 08 let go of what is the master's, and work
  // The child keeps its own end of its own channel. If it held a master's end, its own or
  // another's, nobody would notice the master's death.
  try {
    ends.master.reset();
    workers_.clear();
    work_(std::move(ends.worker), (*loads_)[i]);
    ::_exit(0);
  } catch (const std::exception& error) {
    server::log(std::string("worker: ") + error.what());
    ::_exit(1);
  }
  //| lab::not_implemented("lab 08: Crew::become_worker()",
  //|                      "after fork(2) the child holds copies of all; what must it not keep?",
  //|                      i, ends);
  //@end
}

http::Time Crew::next_start() const {
  http::Time next = http::Time::max();
  for (const Worker& worker : workers_)
    if (worker.pid == 0) next = std::min(next, worker.start);
  return next;
}

bool Crew::is_empty() const {
  return std::all_of(workers_.begin(), workers_.end(), [](const Worker& w) { return w.pid == 0; });
}

int Crew::load() const {
  int all = 0;
  for (std::size_t i = 0; i < workers_.size(); ++i) all += (*loads_)[i];
  return all;
}

bool Crew::hand_over(const net::Fd& client) {
  //@lab 08 give the client to the least busy worker that takes it
  std::vector<std::pair<int, Worker*>> by_load;
  for (Worker& worker : workers_)
    if (worker.takes && load_of(worker) < places_) by_load.emplace_back(load_of(worker), &worker);
  std::sort(by_load.begin(), by_load.end());
  for (auto& [seen, worker] : by_load) {
    ++load_of(*worker);  // first: the worker may be done with the client before we are back
    const channel::Handed handed = channel::hand_over(worker->channel, client);
    if (handed == channel::Handed::over) return true;
    --load_of(*worker);
    if (handed == channel::Handed::dead) worker->takes = false;
  }
  return false;
  //| lab::not_implemented("lab 08: Crew::hand_over()",
  //|                      "load_of() counts clients; who is next when one cannot take it?",
  //|                      client, places_);
  //@end
}

void Crew::say_end() {
  //@lab 08 let every worker see the end of its channel
  for (Worker& worker : workers_)
    if (worker.channel.is_open()) ::shutdown(worker.channel.get(), SHUT_WR);
  //| lab::not_implemented("lab 08: Crew::say_end()",
  //|                      "a worker reads the end when we shall write no more");
  //@end
}

void Crew::bury(Worker& worker, http::Time now) {
  end_if_unfinished(worker.pid);
  //@lab 08 wait for the dead, settle its accounts, plan a successor
  int status = 0;
  if (::waitpid(worker.pid, &status, WNOHANG) != worker.pid) return;
  shared_.process_ended(worker.pid);
  shared_.connections_closed(load_of(worker).exchange(0));  // they went down with it
  if (now - worker.start < young)
    lengthen(worker.pause);
  else
    worker.pause = http::Duration::zero();
  if (status != 0)
    server::log("worker " + std::to_string(worker.pid) + " " + fate(status) +
                "; the next one starts in " + in_ms(worker.pause));
  worker.pid = 0;
  worker.process.reset();
  worker.channel.reset();
  worker.takes = false;
  worker.start = now + worker.pause;
  //| lab::not_implemented("lab 08: Crew::bury()",
  //|                      "waitpid(2); which books mention the dead? When comes the next?",
  //|                      now, young, in_ms, fate);
  //@end
}
