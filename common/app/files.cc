#include "app/files.hh"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

#include "app/range.hh"
#include "http/date.hh"

namespace app {
namespace {

constexpr off_t max_kept_file = 64 * 1024;  // larger ones are streamed
constexpr std::size_t max_kept_bytes = 16 * 1024 * 1024;

constexpr std::array<std::pair<std::string_view, std::string_view>, 14> types{{
    {".css", "text/css"},
    {".gif", "image/gif"},
    {".html", "text/html; charset=utf-8"},
    {".jpeg", "image/jpeg"},
    {".jpg", "image/jpeg"},
    {".js", "text/javascript"},
    {".json", "application/json"},
    {".md", "text/markdown; charset=utf-8"},
    {".pdf", "application/pdf"},
    {".png", "image/png"},
    {".svg", "image/svg+xml"},
    {".txt", "text/plain; charset=utf-8"},
    {".wasm", "application/wasm"},
    {".xml", "application/xml"},
}};

std::string_view type_of(std::string_view path) {
  for (const auto& [ending, type] : types)
    if (path.ends_with(ending)) return type;
  return "application/octet-stream";
}

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         same_time(a.st_mtim, b.st_mtim) && same_time(a.st_ctim, b.st_ctim);
}

// A file on its way to a client.
class FileSource final : public http::Source {
 public:
  FileSource(net::Fd file, std::uint64_t offset)
      : file_(std::move(file)), offset_(static_cast<off_t>(offset)) {}

  std::size_t read(std::span<char> into) override {
    const ssize_t n = ::pread(file_.get(), into.data(), into.size(), offset_);
    if (n <= 0) return 0;  // it has become shorter, or the disk failed
    offset_ += n;
    return static_cast<std::size_t>(n);
  }

 private:
  net::Fd file_;
  off_t offset_;
};

std::shared_ptr<const std::string> read_whole(const net::Fd& file, off_t size) {
  auto bytes = std::make_shared<std::string>();
  bytes->resize(static_cast<std::size_t>(size));
  const ssize_t n = ::pread(file.get(), bytes->data(), bytes->size(), 0);
  return n == size ? bytes : nullptr;
}

http::Response not_found() {
  return http::plain_text(http::Status::not_found, "404: there is no such file\n");
}

}  // namespace

Files::Files(const std::string& root) {
  if (root.empty()) return;
  root_.reset(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root_.is_open())
    throw std::system_error(errno, std::generic_category(), "open --root " + root);
}

http::Response Files::serve(const std::string& path, const http::Request& request) {
  struct stat state {};
  if (!root_.is_open() || ::fstatat(root_.get(), path.c_str(), &state, 0) == -1) return not_found();

  Bytes bytes = find_kept(path, state);
  net::Fd file;
  if (!bytes) {
    file = open(path);
    if (!file.is_open() && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
      return http::plain_text(http::Status::unavailable,
                              "503: too many files are open; try again in a moment\n");
    if (!file.is_open() || ::fstat(file.get(), &state) == -1 || !S_ISREG(state.st_mode))
      return not_found();
    if (state.st_size <= max_kept_file) bytes = read_whole(file, state.st_size);
    if (bytes) keep(path, state, bytes);
  }

  http::Response response;
  response.type = type_of(path);
  const std::string modified = http::format_date(state.st_mtime);
  response.fields = "Last-Modified: " + modified + "\r\nAccept-Ranges: bytes\r\n";

  const auto since = http::parse_date(request.field(http::Field::if_modified_since));
  if (since && state.st_mtime <= *since) {
    response.status = http::Status::not_modified;
    return response;
  }

  const auto size = static_cast<std::uint64_t>(state.st_size);
  Range range{0, size};
  // RFC 9110 section 13.1.5: a range of another version than the client has would be nonsense.
  const std::string_view wanted = request.field(http::Field::range);
  const std::string_view version = request.field(http::Field::if_range);
  const bool asks = request.method == http::Method::get && !wanted.empty();
  if (asks && (version.empty() || version == modified)) {
    const auto asked = parse_range(wanted, size);
    if (asked && asked->length == 0) {
      response.status = http::Status::range_not_satisfiable;
      response.fields += "Content-Range: bytes */" + std::to_string(size) + "\r\n";
      return response;
    }
    if (asked) {
      range = *asked;
      response.status = http::Status::partial_content;
      response.fields += "Content-Range: bytes " + std::to_string(range.first) + "-" +
                         std::to_string(range.first + range.length - 1) + "/" +
                         std::to_string(size) + "\r\n";
    }
  }

  if (bytes && range.length == size)
    response.body = http::Body(std::move(bytes));
  else if (bytes)
    response.body = http::Body(bytes->substr(range.first, range.length));
  else
    response.body = {std::make_unique<FileSource>(std::move(file), range.first), range.length};
  return response;
}

net::Fd Files::open(const std::string& path) const {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;  // non-blocking: a FIFO must not hold us up
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof how);
  return net::Fd(static_cast<int>(fd));
}

Files::Bytes Files::find_kept(const std::string& path, const struct stat& state) {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(path);
  if (found == kept_.end() || !same_file(found->second.state, state)) return nullptr;
  return found->second.bytes;
}

void Files::keep(const std::string& path, const struct stat& state, const Bytes& bytes) {
  // A file that has just changed may change again without its time stamp showing it.
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec - state.st_mtim.tv_sec < 2 || now.tv_sec - state.st_ctim.tv_sec < 2) return;

  const std::lock_guard lock(mutex_);
  if (kept_bytes_ + bytes->size() > max_kept_bytes) {
    kept_.clear();
    kept_bytes_ = 0;
  }
  kept_bytes_ += bytes->size();
  kept_.insert_or_assign(path, Kept{state, bytes});
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      unsigned value = 0;
      const char* last = text.data() + i + 3;
      if (std::from_chars(text.data() + i + 1, last, value, 16).ptr != last) return std::nullopt;
      c = static_cast<char>(value);
      i += 2;
    }
    if (c == '\0') return std::nullopt;
    plain += c;
  }
  return plain;
}

}  // namespace app
