#pragma once

#include <string>

#include "app/files.hh"
#include "app/shared.hh"
#include "app/shared_memory.hh"
#include "http/request.hh"
#include "http/response.hh"

namespace app {

// The service that every stage offers: hello, echo, bytes, files, sleep, work, rendezvous, stats.
// answer() never blocks, but for /work, which is there to occupy whoever answers it.
// Any number of threads may call it.
class Service {
 public:
  // `stage` and `idea` are shown on the start page. Throws std::system_error for a bad `root`.
  Service(std::string stage, std::string idea, const std::string& root);

  [[nodiscard]] http::Answer answer(http::Request&& request);

  [[nodiscard]] Shared& shared() noexcept { return *shared_; }

 private:
  [[nodiscard]] http::Response start_page() const;
  [[nodiscard]] http::Response stats() const;
  [[nodiscard]] http::Answer rendezvous(const http::Request& request);

  std::string stage_;
  std::string idea_;
  Files files_;
  SharedMemory<Shared> shared_ = map_shared<Shared>();
};

}  // namespace app
