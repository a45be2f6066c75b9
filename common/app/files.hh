#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "http/request.hh"
#include "http/response.hh"
#include "net/fd.hh"

namespace app {

// Serves the regular files below one directory, and nothing outside it: the kernel itself refuses
// a path that leaves (openat2(2), RESOLVE_BENEATH), be it by "..", a symbolic link or a race.
// Small files are kept in memory; one stat(2) a request proves that the copy is still the file.
// Any number of threads may call it.
class Files {
 public:
  // Throws std::system_error when `root` cannot be opened. An empty root serves no file.
  explicit Files(const std::string& root);

  // Answers a GET or HEAD for `path`, which is relative and percent-decoded.
  [[nodiscard]] http::Response serve(const std::string& path, const http::Request& request);

 private:
  using Bytes = std::shared_ptr<const std::string>;
  struct Kept {
    struct stat state;
    Bytes bytes;
  };

  [[nodiscard]] net::Fd open(const std::string& path) const;
  [[nodiscard]] Bytes find_kept(const std::string& path, const struct stat& state);
  void keep(const std::string& path, const struct stat& state, const Bytes& bytes);

  net::Fd root_;
  std::mutex mutex_;  // guards what follows
  std::unordered_map<std::string, Kept> kept_;
  std::size_t kept_bytes_ = 0;
};

// Undoes percent-encoding once (RFC 3986 section 2.1). Nothing when an escape is malformed, or for
// a NUL byte, which would end a file's name early.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

}  // namespace app
