#pragma once

#include <sys/epoll.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <ctime>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "connection.hh"
#include "net/error.hh"
#include "origin.hh"

namespace crowd {

// The connections of one role.
struct Group {
  Exchange* exchange = nullptr;  // what each begins with
  std::size_t wanted = 0;
  std::size_t members = 0;  // those that there are, opening ones included
  std::size_t opening = 0;  // those that had no answer yet
  std::size_t to_open = 0;  // those that are still to be tried
  std::size_t failed = 0;   // since the last resize()
  std::string reason = {};  // of the first failure
};

// What the active connections do; every n-th request is a slow one, none where n is 0.
struct Load {
  Exchange* usual = nullptr;
  Exchange* slow = nullptr;
  std::size_t slow_every = 0;
};

// All connections to one server, driven by one epoll. A request costs one send(), one recv() and a
// share of an epoll_wait(): waits are edge-triggered and every connection is registered once.
class Clients {
 public:
  // `input` is a descriptor that is watched beside the connections. With `spin` it never sleeps
  // while there is a load, so that the server need not wake it: over loopback that is on the bill
  // of whoever sends, and the more often, the lighter the client.
  Clients(Origin origin, int input, bool spin) : origin_(origin), input_(input), spin_(spin) {
    rlimit limit{};
    net::checked(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    limit.rlim_cur = std::min(limit.rlim_max, descriptors_max);
    net::checked(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    table_.resize(limit.rlim_cur);
    watch(input_, EPOLLIN);
  }

  // What counts: replies that come at `begin` or later and before `end`. But all right replies to
  // active connections are in `served`, and all their trouble is in `errors`.
  Figures figures;
  Time begin = Time::max();
  Time end = Time::max();
  std::uint64_t served = 0;
  Errors errors;

  [[nodiscard]] Group& group(Role role) { return groups_[static_cast<std::size_t>(role)]; }
  [[nodiscard]] std::size_t busy() const { return busy_; }  // active ones that wait for an answer

  // The exchange that is like this one. It is kept for good: some may still be busy with it.
  Exchange* exchange(const Exchange& wanted) {
    for (Exchange& known : exchanges_) {
      if (known.same_as(wanted)) return &known;
    }
    return &exchanges_.emplace_back(wanted);
  }

  // From now on there are to be so many. Those that are missing are opened, the first ones now and
  // the others by step(), each tried once; those that are too many are closed as soon as they are
  // quiet.
  void resize(Role role, std::size_t wanted) {
    Group& those = group(role);
    those.wanted = wanted;
    those.to_open = wanted - std::min(wanted, those.members);
    those.failed = 0;
    those.reason.clear();
    progress_ = Clock::now();
    for (Connection& each : all()) {
      if (those.members <= wanted) break;
      const bool quiet = !each.exchange || role == Role::deaf;
      if (each.is_open() && each.role == role && quiet) drop(each);
    }
    open_some(role);
  }

  // Whether there is nothing left to open, and when something last came of opening.
  [[nodiscard]] bool settled(Role role) {
    return group(role).opening == 0 && group(role).to_open == 0;
  }
  [[nodiscard]] Time progress() const { return progress_; }

  // Those of the role that are not yet open have failed.
  void give_up_opening(Role role) {
    Group& those = group(role);
    if (those.reason.empty()) those.reason = "ETIMEDOUT";
    those.failed += std::exchange(those.to_open, 0);
    for (Connection& each : all()) {
      if (each.is_open() && each.role == role && each.opening) fail(each, each.late());
    }
  }

  // Those that wait for an answer since `time` or longer have failed, except deaf ones.
  void give_up_waiting(Time time) {
    for (Connection& each : all()) {
      if (waits(each) && each.role != Role::deaf && each.since <= time) fail(each, each.late());
    }
  }

  // For how long the oldest request of an active connection waits, the slow ones left out.
  [[nodiscard]] Clock::duration oldest(Time now) {
    Clock::duration age{};
    for (const Connection& each : all()) {
      if (waits(each) && each.role == Role::active && !each.exchange->slow)
        age = std::max(age, now - each.since);
    }
    return age;
  }

  // Active connections begin with this load, or go over to it. Who is lost is replaced.
  void start(const Load& load) {
    load_ = load;
    sending_ = true;
    for (Connection& each : all()) {
      if (each.is_open() && each.role == Role::active && !each.exchange) ask(each, Clock::now());
    }
  }

  // No more requests; the replies that are under way still come.
  void stop() {
    sending_ = false;
    group(Role::active).to_open = 0;
  }

  // How much a deaf connection reads.
  void set_pace(std::size_t bytes_per_second) {
    share_ = std::clamp<std::size_t>(bytes_per_second * tick / std::chrono::seconds(1), 1,
                                     buffer_.size());
  }

  // Waits for something to happen, at most until `deadline`, and does what is to be done about it.
  // Returns whether there is input.
  bool step(Time deadline) {
    const bool some_deaf = group(Role::deaf).members > 0;
    if (some_deaf) deadline = std::min(deadline, next_tick_);
    ask_again();
    const bool spins = spin_ && sending_;
    const auto time = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    const auto timeout = static_cast<int>(std::clamp<long>(spins ? 0 : time.count(), 0, 60'000));
    const int ready = epoll_wait(epoll_.get(), events_.data(), events_max, timeout);
    note_spinning(spins && ready == 0);
    bool input = false;
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events_[static_cast<std::size_t>(i)];
      if (event.data.fd == input_) {
        input = true;
      } else {
        handle(table_[static_cast<std::size_t>(event.data.fd)], event.events);
      }
    }
    if (some_deaf && Clock::now() >= next_tick_) read_slowly();
    for (const Role role : {Role::active, Role::idle, Role::deaf}) open_some(role);
    return input;
  }

  // CPU seconds of this process, without those that went into spinning.
  [[nodiscard]] double used() const {
    const double now = cpu_seconds();
    return now - spun_ - (spins_since_ ? now - *spins_since_ : 0);
  }

  // There is no more input.
  void forget_input() {
    net::checked(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, input_, nullptr), "epoll_ctl");
  }

 private:
  static constexpr rlim_t descriptors_max = 1 << 17;
  static constexpr std::size_t opening_max = 500;  // at the same time: fewer than a backlog takes
  static constexpr int events_max = 512;
  static constexpr std::chrono::milliseconds tick{100};
  static constexpr int deaf_buffer = 8 * 1024;
  // Before a client that does not sleep asks again, as if it sat on another machine. A server's
  // thread that finds the next request there at once never comes to rest: it would serve one
  // connection alone, without a single switch.
  static constexpr std::chrono::microseconds distance{20};

  static bool waits(const Connection& c) { return c.is_open() && c.exchange; }
  [[nodiscard]] std::span<Connection> all() { return {table_.data(), top_}; }

  void watch(int fd, std::uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    net::checked(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }

  void open_some(Role role) {
    Group& those = group(role);
    // With a connection for each request, as many as there are clients are always opening.
    const bool all_opening = role == Role::active && sending_ && load_.usual->last;
    while (those.to_open > 0 && (all_opening || those.opening < opening_max)) {
      --those.to_open;
      open(role);
    }
  }

  void open(Role role) {
    Group& those = group(role);
    const Time now = Clock::now();
    net::Fd fd = origin_.connect(role == Role::deaf ? deaf_buffer : 0);
    if (!fd.is_open()) {
      note_failure(role, {Trouble::connect, strerrorname_np(errno)});
      progress_ = now;
      return;
    }
    const auto number = static_cast<std::size_t>(fd.get());
    top_ = std::max(top_, number + 1);
    Connection& c = table_[number];
    c = {std::move(fd), role, true, true};
    ++those.members;
    ++those.opening;
    // Over loopback the connection is there already, and the request can go out at once.
    ask(c, now);
    if (c.is_open()) watch(c.fd.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  }

  // Sends what this connection has to ask next.
  void ask(Connection& c, Time now) {
    if (c.role == Role::active && sending_) {
      const bool slow = load_.slow_every > 0 && ++asked_ % load_.slow_every == 0;
      c.exchange = slow ? load_.slow : load_.usual;
    } else {
      c.exchange = group(c.role).exchange;
    }
    c.unsent = c.exchange->text.size();
    c.received = 0;
    c.since = now;
    if (c.role == Role::active) ++busy_;
    transmit(c);
  }

  void transmit(Connection& c) {
    if (const auto failure = c.transmit()) fail(c, *failure);
  }

  void receive(Connection& c) {
    if (const auto failure = c.receive(buffer_, share_)) {
      fail(c, *failure);
    } else if (c.complete()) {
      finish(c);
    } else if (c.role == Role::deaf && c.received > 0) {
      opened(c, Clock::now());  // the rest takes its time
    }
  }

  void handle(Connection& c, std::uint32_t events) {
    if (!c.is_open()) return;  // an earlier event of the same batch ended it
    if (c.exchange && c.unsent > 0) transmit(c);
    const bool readable = (events & ~std::uint32_t{EPOLLOUT}) != 0;
    if (!c.is_open() || !readable || (c.role == Role::deaf && !c.opening)) return;
    if (!c.exchange) return drop(c);  // nothing was asked: the server takes its leave
    const bool ends = (events & EPOLLRDHUP) != 0 && !c.exchange->last;
    receive(c);
    if (ends && c.is_open()) handle(c, EPOLLIN);  // no other edge will tell of the end
  }

  // Those whose turn it is; when there is no load any more, nobody's.
  void ask_again() {
    const Time now = Clock::now();
    for (; !later_.empty() && (!sending_ || later_.front().second <= now); later_.pop_front()) {
      Connection& c = table_[later_.front().first];
      note_spinning(false);
      if (sending_ && c.is_open() && c.role == Role::active && !c.exchange) ask(c, now);
    }
  }

  // What it costs to look in vain, from the first time to the last.
  void note_spinning(bool in_vain) {
    if (in_vain == spins_since_.has_value()) return;
    if (in_vain) {
      spins_since_ = cpu_seconds();
    } else {
      spun_ += cpu_seconds() - *std::exchange(spins_since_, {});
    }
  }

  static double cpu_seconds() {
    timespec used{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
  }

  void read_slowly() {
    next_tick_ = std::max(next_tick_ + tick, Clock::now());
    for (Connection& each : all()) {
      if (each.role == Role::deaf && waits(each) && each.unsent == 0) receive(each);
    }
  }

  void opened(Connection& c, Time now) {
    if (!std::exchange(c.opening, false)) return;
    --group(c.role).opening;
    progress_ = now;
  }

  // The answer is there; while there is a load, the next request follows at once.
  void finish(Connection& c) {
    const Time now = Clock::now();
    opened(c, now);
    const Exchange& exchange = *std::exchange(c.exchange, nullptr);
    const Role role = c.role;
    if (role == Role::active) {
      --busy_;
      count(exchange, now - c.since, now);
    }
    const bool too_many = group(role).members > group(role).wanted;
    const bool again = !too_many && (role == Role::deaf || (role == Role::active && sending_));
    if (too_many || exchange.last) {
      drop(c);
      if (again) open(role);
    } else if (again && spin_ && role == Role::active) {
      later_.emplace_back(static_cast<std::size_t>(c.fd.get()), now + distance);
    } else if (again) {
      ask(c, now);
    }
  }

  void count(const Exchange& exchange, Clock::duration took, Time now) {
    served += exchange.replies;
    if (now < begin || now >= end) return;
    figures.bytes += exchange.bytes();
    const auto ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count());
    if (exchange.slow) return figures.slow.record(ns);
    figures.requests += exchange.replies;
    figures.latency.record(ns);
  }

  // Ends a connection that has met trouble. While there is a load another takes its place, but not
  // when even connecting failed: that would fail again, and again.
  void fail(Connection& c, const Failure& failure) {
    Group& those = group(c.role);
    const bool replace = sending_ && failure.trouble != Trouble::connect;
    if (c.role == Role::active && replace && those.members <= those.wanted) ++those.to_open;
    if (c.role == Role::active || c.opening) note_failure(c.role, failure);
    drop(c);
  }

  void note_failure(Role role, const Failure& failure) {
    Group& those = group(role);
    ++those.failed;
    if (those.reason.empty()) those.reason = failure.reason;
    if (role == Role::active) ++errors[failure.trouble];
  }

  void drop(Connection& c) {
    opened(c, Clock::now());
    if (c.role == Role::active && c.exchange) --busy_;
    c.exchange = nullptr;
    c.fd.reset();
    --group(c.role).members;
  }

  Origin origin_;
  int input_;
  bool spin_;
  net::Fd epoll_{net::checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
  std::vector<Connection> table_;  // by descriptor
  std::size_t top_ = 0;            // behind the last that was ever used
  std::array<Group, 3> groups_;
  std::deque<Exchange> exchanges_;
  std::deque<std::pair<std::size_t, Time>> later_;  // descriptors, and when they ask again
  Load load_;
  bool sending_ = false;
  std::size_t busy_ = 0;
  std::size_t asked_ = 0;              // requests of loads
  std::size_t share_ = 1;              // what a deaf connection reads in a tick
  double spun_ = 0;                    // CPU seconds
  std::optional<double> spins_since_;  // CPU time when it last began
  Time next_tick_{};
  Time progress_{};
  std::array<epoll_event, events_max> events_{};
  std::array<char, 64 * 1024> buffer_{};
};

}  // namespace crowd
