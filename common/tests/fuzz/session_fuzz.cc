// libFuzzer invents streams of requests. However a stream is cut into segments, and however little
// of the replies the socket takes at a time, the client must hear the same bytes; the session must
// keep its promises on the way; and it must come to an end.
//
// An input is a recipe and a stream. Its first byte says how many bytes the recipe has (mod 16);
// they are used over and over as the sizes of the pieces.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "../talk.hh"

namespace {

using http::Session;
using http::Want;

void require(bool promise, const char* words) {
  if (promise) return;
  std::fprintf(stderr, "broken: %s\n", words);
  std::abort();
}

http::Settings small() {
  http::Settings how = tests::settings();
  how.max_body = 1000;
  return how;
}

// No reply of the tests' service is longer: a target, a body, and a head around them.
constexpr std::size_t longest_reply = http::Settings::max_target + 1000 + 1000;

// What is true of a session in every state.
void check(const Session& session) {
  const Want want = session.want();
  const std::size_t pending = session.pending().size();
  require(pending < Session::output_limit + longest_reply, "output is bounded");
  require((pending > 0) == (want == Want::write) || want == Want::close,
          "write means pending bytes");
  require(!session.idle() || want == Want::read || want == Want::close, "idle means no work");
  require(want == Want::wait || session.deadline() < tests::Time::max(), "only waiting has no end");
}

// How large the pieces are: of what the client sends, and of what the socket takes.
class Recipe {
 public:
  explicit Recipe(std::string_view sizes) : sizes_(sizes) {}
  std::size_t next() {
    if (sizes_.empty()) return SIZE_MAX;
    return 1 + static_cast<unsigned char>(sizes_[at_++ % sizes_.size()]);
  }

 private:
  std::string_view sizes_;
  std::size_t at_ = 0;
};

std::string heard(std::string_view stream, Recipe recipe) {
  tests::Talk talk(small());
  Session& session = talk.session;
  std::string all;
  const std::size_t most_steps = 100 + 10 * stream.size() + 2 * 10'000'000;
  for (std::size_t step = 0; session.want() != Want::close; ++step) {
    require(step < most_steps, "a conversation ends");
    check(session);
    switch (session.want()) {
      case Want::read: {
        if (stream.empty()) session.peer_closed();
        const std::string_view piece = stream.substr(0, recipe.next());
        stream.remove_prefix(piece.size());
        if (!piece.empty()) session.received(piece, talk.now);
        break;
      }
      case Want::write: {
        require(session.pending().size() < Session::output_limit || !session.next_request(),
                "who does not read is not answered");
        const std::size_t n = std::min(recipe.next(), session.pending().size());
        all.append(session.pending().data(), n);
        session.sent(n, talk.now);
        break;
      }
      case Want::wait:
        talk.now = session.deadline();
        session.tick(talk.now);
        break;
      case Want::half_close:
        session.half_closed(talk.now);
        require(session.want() == Want::read, "what still comes is read away");
        break;
      case Want::close: break;
    }
    talk.serve();
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t recipe = std::min<std::size_t>(1 + data[0] % 16, size);
  const std::string_view stream = input.substr(recipe);
  const std::string pieces = heard(stream, Recipe(input.substr(1, recipe - 1)));
  const std::string whole = heard(stream, Recipe({}));
  if (pieces != whole)
    std::fprintf(stderr, "in pieces:\n%s\n\nwhole:\n%s\n\n", pieces.c_str(), whole.c_str());
  require(pieces == whole, "the pieces make no difference");
  return 0;
}
