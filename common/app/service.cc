#include "app/service.hh"

#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "app/rendezvous.hh"

namespace app {
namespace {

using http::Answer;
using http::Method;
using http::plain_text;
using http::Request;
using http::Response;
using http::Status;
using std::chrono::milliseconds;

constexpr std::uint64_t max_bytes = std::uint64_t{1} << 30;
constexpr std::uint64_t max_sleep_ms = 60'000;
constexpr std::uint64_t max_work_us = 10'000'000;
constexpr std::uint64_t max_party = Shared::max_guests;
constexpr milliseconds look_every{2};

// What /bytes sends: the byte at offset i is i % 251. A prime, so that no buffer size divides it
// and bytes that are lost or doubled show.
class PatternSource final : public http::Source {
 public:
  std::size_t read(std::span<char> into) override {
    static const auto pattern = [] {
      std::array<char, 251 * 64> bytes{};
      for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
      return bytes;
    }();
    const std::size_t n = std::min(into.size(), pattern.size() - phase_);
    std::memcpy(into.data(), pattern.data() + phase_, n);
    phase_ = (phase_ + n) % 251;
    return n;
  }

 private:
  std::size_t phase_ = 0;
};

std::optional<std::uint64_t> number(std::string_view digits) {
  std::uint64_t value = 0;
  const char* last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, value);
  if (digits.empty() || end != last || error != std::errc{}) return std::nullopt;
  return value;
}

// The number that the query gives `name`, if it is at most `most`.
std::optional<std::uint64_t> parameter(const Request& request, std::string_view name,
                                       std::uint64_t most) {
  std::string_view query = request.query();
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('=')) {
      const auto value = number(pair.substr(name.size() + 1));
      return value && *value <= most ? value : std::nullopt;
    }
  }
  return std::nullopt;
}

Answer bytes(std::string_view count) {
  const auto n = number(count);
  if (!n || *n > max_bytes)
    return plain_text(Status::bad_request, "try /bytes/N, N up to 1073741824\n");
  Response response{Status::ok, "application/octet-stream"};
  if (*n > 0) response.body = {std::make_unique<PatternSource>(), *n};
  return response;
}

Answer echo(Request&& request) {
  Response response{Status::ok, "application/octet-stream", std::move(request.body)};
  response.own_type = request.field(http::Field::content_type);
  return response;
}

Answer sleep(const Request& request) {
  const auto ms = parameter(request, "ms", max_sleep_ms);
  if (!ms) return plain_text(Status::bad_request, "try /sleep?ms=N, N up to 60000\n");
  auto later = std::make_unique<http::Later>();
  later->due = http::Clock::now() + milliseconds(*ms);
  later->every = milliseconds(1);
  later->poll = [ms = *ms](http::Time) {
    return plain_text(Status::ok, "slept " + std::to_string(ms) + " ms\n");
  };
  return later;
}

// Occupies this thread for so many microseconds of its own CPU time.
Answer work(const Request& request) {
  const auto us = parameter(request, "us", max_work_us);
  if (!us) return plain_text(Status::bad_request, "try /work?us=N, N up to 10000000\n");
  const auto cpu_ns = [] {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(used.tv_nsec);
  };
  const std::uint64_t until = cpu_ns() + *us * 1000;
  while (cpu_ns() < until) continue;
  return plain_text(Status::ok, "worked " + std::to_string(*us) + " us\n");
}

// Which methods a path takes, as Allow lists them; nothing for a path that is not ours.
std::string_view allowed(std::string_view path) {
  if (path == "/echo") return "POST, PUT";
  const bool known = path == "/" || path == "/hello" || path == "/sleep" || path == "/work" ||
                     path == "/rendezvous" || path == "/stats" || path.starts_with("/bytes/") ||
                     path.starts_with("/files/");
  return known ? "GET, HEAD" : "";
}

}  // namespace

Service::Service(std::string stage, std::string idea, const std::string& root)
    : stage_(std::move(stage)), idea_(std::move(idea)), files_(root) {}

Answer Service::answer(Request&& request) {
  const std::string_view path = request.path();
  const bool reads = request.method == Method::get || request.method == Method::head;
  const bool writes = request.method == Method::post || request.method == Method::put;
  if (path == "/hello" && reads) return plain_text(Status::ok, "Hello, World!");

  const std::string_view methods = allowed(path);
  if (methods.empty())
    return plain_text(Status::not_found, "404: nothing here; / lists what there is\n");
  if (path == "/echo" ? !writes : !reads) {
    Response response =
        plain_text(Status::method_not_allowed, "405: this path does not take this method\n");
    response.fields = "Allow: " + std::string(methods) + "\r\n";
    return response;
  }

  if (path == "/echo") return echo(std::move(request));
  if (path == "/sleep") return sleep(request);
  if (path == "/work") return work(request);
  if (path == "/rendezvous") return rendezvous(request);
  if (path == "/stats") return stats();
  if (path == "/") return start_page();
  if (path.starts_with("/bytes/")) return bytes(path.substr(7));

  const auto name = percent_decode(path.substr(7));
  if (!name) return plain_text(Status::bad_request, "400: this is no file name\n");
  return files_.serve(*name, request);
}

Answer Service::rendezvous(const Request& request) {
  const auto party = parameter(request, "n", max_party);
  const auto ms = parameter(request, "ms", max_sleep_ms);
  if (!party || *party == 0 || !ms)
    return plain_text(Status::bad_request,
                      "try /rendezvous?n=K&ms=T, K from 1 to 4096, T up to 60000\n");

  const http::Time now = http::Clock::now();
  const http::Time until = now + milliseconds(*ms);
  auto guest = std::make_shared<Rendezvous>(*shared_, static_cast<std::uint32_t>(*party), now);
  auto later = std::make_unique<http::Later>();
  later->due = now;
  later->every = look_every;
  later->poll = [guest, until, n = *party](http::Time when) -> std::optional<Response> {
    const std::string party_of = std::to_string(n);
    if (guest->met(when)) return plain_text(Status::ok, "met: " + party_of + " requests at once\n");
    if (when < until) return std::nullopt;
    return plain_text(Status::unavailable,
                      "503: fewer than " + party_of + " requests were in at once\n");
  };
  return later;
}

Response Service::stats() const {
  std::string pids;
  for (const auto& pid : shared_->pids)
    if (pid.load() != 0) pids += (pids.empty() ? "" : ", ") + std::to_string(pid.load());
  const auto field = [](const char* name, auto value) {
    return std::string(", \"") + name + "\": " + std::to_string(value);
  };
  return {Status::ok, "application/json",
          "{\"stage\": \"" + stage_ + "\", \"pids\": [" + pids + "]" +
              field("open", shared_->open.load()) + field("accepted", shared_->accepted.load()) +
              field("requests", shared_->traffic.requests.load()) +
              field("bytes_in", shared_->traffic.bytes_in.load()) +
              field("bytes_out", shared_->traffic.bytes_out.load()) + "}\n"};
}

Response Service::start_page() const {
  const auto link = [](std::string_view target, std::string_view what) {
    return "<li><a href=\"" + std::string(target) + "\">" + std::string(target) +
           "</a>: " + std::string(what) + "\n";
  };
  return {Status::ok, "text/html; charset=utf-8",
          "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n<title>" + stage_ +
              "</title>\n<style>body{font:1.1em/1.6 sans-serif;max-width:40em;margin:3em auto;"
              "padding:0 1em}</style>\n<h1>" +
              stage_ + "</h1>\n<p>" + idea_ + "</p>\n<ul>\n" +
              link("/hello", "thirteen bytes, the benchmark's request") +
              link("/bytes/1000000", "a million bytes of a fixed pattern, up to 1 GiB") +
              link("/sleep?ms=1000", "answers after a second") +
              link("/work?us=500000", "answers after half a second of CPU") +
              link("/rendezvous?n=2&amp;ms=5000", "answers when two such requests are in at once") +
              link("/stats", "what this server has done so far") +
              "<li>/files/PATH: a file below --root\n<li>POST /echo: your own bytes\n</ul>\n"};
}

}  // namespace app
