// A crowd of HTTP clients in one thread: it loads a server, holds idle connections, reads slowly,
// and is steered by lines on standard input. Every reply is verified; what is counted is the time
// between the ramp and the end, and a request costs it one send() and one recv().
//
//   crowd [--host 127.0.0.1] --port N [--sources N] [--spin 1]
//
// With several sources connections come from 127.0.0.1, 127.0.0.2, ... in turn; with --spin 1 it
// does not sleep while there is a load. Each line of input is a JSON object, {"do":"connect", ...},
// and is answered by one on standard output; crowd.py has them all, with their fields. It ends with
// its input.
#include <arpa/inet.h>
#include <unistd.h>

#include <iomanip>
#include <iostream>
#include <map>
#include <string>

#include "crowd/clients.hh"
#include "crowd/command.hh"
#include "crowd/figures.hh"

namespace {

using crowd::Clients, crowd::Clock, crowd::Command, crowd::Role, crowd::Time;
using Seconds = std::chrono::duration<double>;
using namespace std::chrono_literals;

// A server that does nothing for so long does nothing any more.
constexpr auto patience = 2s;          // for a reply in a live load
constexpr auto late_patience = 5s;     // for replies when a load has ended
constexpr auto connect_patience = 3s;  // a lost SYN is sent again after one second
constexpr auto connect_limit = 60s;
constexpr auto warm_up_limit = 500ms;

Clock::duration duration(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(Seconds(std::min(seconds, 1e6)));
}

class Crowd {
 public:
  Crowd(const sockaddr_in& server, unsigned sources, bool spin)
      : clients_(crowd::Origin(server, sources), STDIN_FILENO, spin) {
    std::cout << std::setprecision(9);
  }

  // Until the input ends, and what it asked for is done.
  void serve() {
    while (true) {
      const auto end = input_.find('\n');
      if (end != input_.npos) {
        const std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        obey(line);
      } else if (ended_) {
        return;
      } else {
        step(Clock::now() + 1h);
      }
    }
  }

 private:
  void obey(const std::string& line) try {
    const Command command(line);
    const auto known = commands.find(command.text("do"));
    if (known == commands.end()) throw std::invalid_argument("unknown command");
    (this->*known->second)(command);
  } catch (const std::exception& error) {
    std::string text = error.what();
    const auto special = [](char c) { return c < ' ' || c == '"' || c == '\\'; };
    std::replace_if(text.begin(), text.end(), special, '?');
    std::cout << R"({"error":")" << text << R"("})" << std::endl;
  }

  void step(Time deadline) {
    if (live_) deadline = std::min(deadline, next_report_);
    if (clients_.step(deadline)) read_input();
    if (live_ && Clock::now() >= next_report_) report();
  }

  void read_input() {
    std::array<char, 64 * 1024> buffer{};
    const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size > 0) {
      input_.append(buffer.data(), static_cast<std::size_t>(size));
    } else {
      ended_ = true;
      clients_.forget_input();
    }
  }

  // Opens what the role wants, and says how long it took.
  double settle(Role role) {
    const Time start = Clock::now();
    while (!clients_.settled(role)) {
      const Time deadline = std::min(clients_.progress() + connect_patience, start + connect_limit);
      if (Clock::now() >= deadline) clients_.give_up_opening(role);
      step(deadline);
    }
    return Seconds(Clock::now() - start).count();
  }

  void answer(const char* name, std::size_t connections, Role role, double seconds) {
    const crowd::Group& group = clients_.group(role);
    std::cout << "{\"" << name << "\":" << connections << ",\"failed\":" << group.failed
              << ",\"seconds\":" << seconds << ",\"reason\":\"" << group.reason << "\"}"
              << std::endl;
  }

  // Who has failed is not tried again. Those whom the server has let go since, after a good reply,
  // do count: it may have been asked to.
  void connect(const Command& command) {
    refuse_while_live();
    ask_for(command);
    crowd::Group& group = clients_.group(Role::active);
    clients_.resize(Role::active, command.count("connections", 0));
    const double seconds = settle(Role::active);
    group.wanted -= group.failed;
    answer("connected", group.wanted, Role::active, seconds);
  }

  void hold(const Command& command) {
    const std::string request = command.text("request", hello);
    clients_.group(Role::idle).exchange = clients_.exchange({request});
    clients_.resize(Role::idle, command.count("connections", 0));
    const double seconds = settle(Role::idle);
    answer("held", clients_.group(Role::idle).members, Role::idle, seconds);
  }

  void deaf(const Command& command) {
    const std::string request = command.text("request", hello);
    clients_.group(Role::deaf).exchange = clients_.exchange({request});
    clients_.set_pace(command.count("bytes_per_second", 20'000));
    clients_.resize(Role::deaf, command.count("connections", 0));
    const double seconds = settle(Role::deaf);
    answer("deaf", clients_.group(Role::deaf).members, Role::deaf, seconds);
  }

  // The ramp is left out, as is the end: the clock runs from when there were as many replies as
  // there are connections, and whatever is under way when it stops is only waited for.
  void run(const Command& command) {
    refuse_while_live();
    const crowd::Load load = load_of(command);
    const Clock::duration time = duration(command.number("seconds", 1));
    const std::size_t wanted = clients_.group(Role::active).wanted;
    clients_.errors = {};
    if (load.usual->last) {
      clients_.resize(Role::active, 0);  // each request gets a new one
    } else {
      clients_.resize(Role::active, wanted);  // who was lost since is there again
      settle(Role::active);
    }
    clients_.served = 0;
    clients_.start(load);
    if (load.usual->last) clients_.resize(Role::active, wanted);
    const Time warm = Clock::now() + warm_up_limit;
    const std::size_t first_replies = wanted * load.usual->replies;
    while (clients_.served < first_replies && clients_.busy() > 0 && Clock::now() < warm) {
      step(warm);
    }

    begin_figures();
    clients_.end = clients_.begin + time;
    while (Clock::now() < clients_.end) step(clients_.end);
    const double cpu = clients_.used() - used_before_;
    clients_.figures.oldest = nanoseconds(clients_.oldest(clients_.end));
    finish();
    print(Seconds(time).count(), cpu);
  }

  // From now on, or other than before: a load, and its figures at intervals.
  void live(const Command& command) {
    if (command.text("request") != "" || request_.empty()) ask_for(command);
    const crowd::Load load = load_of(command);
    interval_ = std::max<Clock::duration>(duration(command.number("interval", 0.25)), 10ms);
    crowd::Group& idle = clients_.group(Role::idle);
    if (!idle.exchange) idle.exchange = clients_.exchange({hello});
    clients_.resize(Role::idle, command.count("idle", idle.wanted));
    clients_.start(load);
    const std::size_t wanted = clients_.group(Role::active).wanted;
    clients_.resize(Role::active, command.count("connections", wanted));
    if (!std::exchange(live_, true)) begin_interval();
  }

  void begin_interval() {
    clients_.errors = {};
    clients_.served = 0;
    begin_figures();
    next_report_ = clients_.begin + interval_;
  }

  void begin_figures() {
    clients_.figures = {};
    clients_.begin = Clock::now();
    clients_.end = Time::max();
    used_before_ = clients_.used();
  }

  void report() {
    const Time now = Clock::now();
    clients_.figures.oldest = nanoseconds(clients_.oldest(now));
    clients_.give_up_waiting(now - patience);
    print(Seconds(now - clients_.begin).count(), clients_.used() - used_before_);
    for (const Role role : {Role::active, Role::idle}) {
      clients_.resize(role, clients_.group(role).wanted);  // who failed is tried again
    }
    begin_interval();
  }

  void stop(const Command& /*it has no fields*/) {
    live_ = false;
    clients_.end = Clock::now();
    finish();
    std::cout << R"({"stopped":true})" << std::endl;
  }

  // Ends the load, so that no request is left under way.
  void finish() {
    clients_.stop();
    const Time last = Clock::now() + late_patience;
    while (clients_.busy() > 0 && Clock::now() < last) step(last);
    clients_.give_up_waiting(Clock::now());
  }

  void refuse_while_live() const {
    if (live_) throw std::invalid_argument("stop first");
  }

  // What active connections ask, unless a load says otherwise.
  void ask_for(const Command& command) {
    request_ = command.text("request", hello);
    clients_.group(Role::active).exchange =
        clients_.exchange({request_, command.count("reply_bytes", 0)});
  }

  crowd::Load load_of(const Command& command) {
    if (request_.empty()) throw std::invalid_argument("connect first");
    const std::size_t pipelined = std::max<std::size_t>(command.count("pipelined", 1), 1);
    const bool last = command.flag("close");
    std::string text;
    for (std::size_t i = 0; i < pipelined; ++i) text += request_;
    const std::size_t reply_bytes = clients_.group(Role::active).exchange->reply_bytes;
    crowd::Load load{clients_.exchange({text, reply_bytes, pipelined, last}), nullptr,
                     command.count("slow_every", 0)};
    if (load.slow_every > 0) {
      const std::string slow = command.text("slow_request");
      if (slow.empty()) throw std::invalid_argument("slow_every without slow_request");
      load.slow = clients_.exchange({slow, 0, 1, last, true});
    }
    return load;
  }

  void print(double seconds, double cpu) {
    const auto open = [this](Role role) {
      return clients_.group(role).members - clients_.group(role).opening;
    };
    std::cout << "{\"seconds\":" << seconds << ',' << clients_.figures << ',' << clients_.errors
              << ",\"cpu_seconds\":" << cpu << ",\"served\":" << clients_.served
              << ",\"connections\":" << open(Role::active) << ",\"held\":" << open(Role::idle)
              << ",\"deaf\":" << open(Role::deaf) << '}' << std::endl;
  }

  static std::uint64_t nanoseconds(Clock::duration duration) {
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(duration).count());
  }

  static constexpr const char* hello = "GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

  static inline const std::map<std::string, void (Crowd::*)(const Command&)> commands = {
      {"connect", &Crowd::connect}, {"hold", &Crowd::hold}, {"deaf", &Crowd::deaf},
      {"run", &Crowd::run},         {"live", &Crowd::live}, {"stop", &Crowd::stop},
  };

  Clients clients_;
  std::string request_;  // of active connections
  std::string input_;    // what is not yet obeyed
  bool ended_ = false;   // there will be no more input
  bool live_ = false;
  Clock::duration interval_{};
  Time next_report_{};
  double used_before_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  std::map<std::string, std::string> options = {
      {"--host", "127.0.0.1"}, {"--port", "0"}, {"--sources", "1"}, {"--spin", "0"}};
  bool usable = argc % 2 == 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    usable = usable && options.contains(argv[i]);
    options[argv[i]] = argv[i + 1];
  }
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(static_cast<std::uint16_t>(std::atoi(options["--port"].c_str())));
  usable = usable && inet_pton(AF_INET, options["--host"].c_str(), &server.sin_addr) == 1;
  if (!usable || server.sin_port == 0) {
    std::cerr << "usage: crowd [--host ADDRESS] --port N [--sources N] [--spin 1]\n";
    return 2;
  }
  const int sources = std::clamp(std::atoi(options["--sources"].c_str()), 1, 250);
  Crowd(server, static_cast<unsigned>(sources), options["--spin"] == "1").serve();
} catch (const std::exception& error) {
  std::cerr << "crowd: " << error.what() << '\n';
  return 1;
}
