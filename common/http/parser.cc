#include "http/parser.hh"

// Beast 1.74 asserts that a last chunk's header has five bytes; after an empty body it has three,
// and a client could end the process with it. What follows the assertion copes.
#define BOOST_DISABLE_ASSERTS

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <string>

#include "http/chunk.hh"
#include "http/head.hh"
#include "http/rules.hh"

namespace http {
namespace {

namespace beast = boost::beast::http;
using Error = boost::beast::error_code;
using boost::beast::iequals;

// The longest chunk header or trailer section that is waited for.
constexpr std::size_t max_chunk_lines = 8 * 1024;

std::optional<Method> method_of(beast::verb verb) {
  switch (verb) {
    case beast::verb::get: return Method::get;
    case beast::verb::head: return Method::head;
    case beast::verb::post: return Method::post;
    case beast::verb::put: return Method::put;
    case beast::verb::patch: return Method::patch;
    case beast::verb::delete_: return Method::del;
    case beast::verb::options: return Method::options;
    case beast::verb::trace: return Method::trace;
    case beast::verb::connect: return Method::connect;
    default: return std::nullopt;
  }
}

constexpr Refusal malformed_chunk{Status::bad_request, "a chunk's header or end is malformed"};
constexpr Refusal malformed_line{Status::bad_request,
                                 "the request line is not: method, target, HTTP version"};

Refusal refusal_for(const Error& error, std::string_view head) {
  if (error == beast::error::bad_version) {
    if (has_other_version(head))
      return {Status::version_not_supported, "only HTTP/1.0 and HTTP/1.1"};
    return malformed_line;
  }
  if (error == beast::error::body_limit)
    return {Status::content_too_large, "the body is longer than this server takes"};
  if (error == beast::error::header_limit)
    return {Status::fields_too_large, "the head is longer than 16 KiB"};
  if (error == beast::error::bad_method) return {Status::bad_request, "the method is no token"};
  if (error == beast::error::bad_target)
    return {Status::bad_request, "the request target holds a character that may not stand there"};
  if (error == beast::error::bad_field)
    return {Status::bad_request, "a field name is empty, no token, or not followed by its colon"};
  if (error == beast::error::bad_value)
    return {Status::bad_request, "a field value holds a character that may not stand there"};
  if (error == beast::error::bad_content_length)
    return {Status::bad_request, "Content-Length is no length, or not the only one"};
  if (error == beast::error::bad_transfer_encoding)
    return {Status::bad_request, "Transfer-Encoding beside Content-Length, or twice"};
  if (error == beast::error::bad_chunk || error == beast::error::bad_chunk_extension)
    return malformed_chunk;
  return {Status::bad_request, "the request is malformed"};
}

// The wrapper around Boost.Beast's parser. Beast splits lines into fields and undoes the chunked
// coding; what it lets through although HTTP/1.1 forbids it is refused here.
class BeastParser final : public Parser, private beast::basic_parser<true> {
 public:
  explicit BeastParser(const Settings& settings) {
    header_limit(static_cast<std::uint32_t>(Settings::max_head));
    body_limit(settings.max_body);
    eager(false);  // one chunk header, or piece of body, at a time
  }

  std::size_t take(std::string_view input) override {
    std::size_t taken = 0;
    if (refusal_) return taken;
    if (!head_complete_) {
      const auto length = scanner_.scan(input);
      refusal_ = scanner_.refusal();
      if (!length) return 0;
      taken = parse(input.substr(0, *length), input.substr(0, *length));
      if (!head_complete_) refuse(malformed_line);
    }
    while (!refusal_ && !complete_ && taken < input.size()) {
      const std::string_view rest = input.substr(taken);
      if (chunked() && chunk_left_ == 0 && chunk_lines_are_malformed(rest)) {
        refuse(malformed_chunk);
        break;
      }
      const std::size_t body_before = request_.body.size();
      const std::size_t n = parse(rest, {});
      const std::size_t lines = n - (request_.body.size() - body_before);
      if (std::max(lines, n == 0 ? rest.size() : 0) > max_chunk_lines)
        refuse({Status::bad_request, "a chunk's header or the trailer is longer than 8 KiB"});
      if (n == 0) break;
      taken += n;
    }
    return taken;
  }

 private:
  using View = boost::beast::string_view;

  std::size_t parse(std::string_view bytes, std::string_view head) {
    Error error;
    const std::size_t n = put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    if (error && error != beast::error::need_more)
      refuse(head_complete_ && error != beast::error::body_limit ? malformed_chunk
                                                                 : refusal_for(error, head));
    return n;
  }

  void refuse(Refusal why) {
    if (!refusal_) refusal_ = why;
  }

  // Refuses from inside Beast, which stops at an error.
  void refuse(Refusal why, Error& error) {
    refuse(why);
    error = beast::error::bad_value;
  }

  void on_request_impl(beast::verb verb, View, View target, int version, Error& error) override {
    const auto method = method_of(verb);
    if (!method) return refuse({Status::not_implemented, "this method is not known here"}, error);
    request_.method = *method;
    request_.http_1_0 = version == 10;
    take_target({target.data(), target.size()}, error);
  }

  // A proxy's absolute form means the same as its path (RFC 9112 section 3.2.2).
  void take_target(std::string_view target, Error& error) {
    if (target.find('#') != std::string_view::npos)
      return refuse({Status::bad_request, "a fragment is not part of a request target"}, error);
    if (target.size() > Settings::max_target)
      return refuse({Status::uri_too_long, "the request target is longer than 8 KiB"}, error);
    const bool absolute = target.size() > 7 && iequals(View(target.data(), 7), "http://");
    if (absolute) {
      target.remove_prefix(7);
      target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    }
    if (absolute && !target.starts_with('/')) request_.target = "/";
    request_.target += target;
    const bool other_form =
        request_.method == Method::options || request_.method == Method::connect;
    if (!request_.target.starts_with('/') && !other_form)
      refuse({Status::bad_request, "the request target does not start with a slash"}, error);
  }

  void on_field_impl(beast::field field, View, View value, Error& error) override {
    if (head_complete_) return;  // a trailer: nothing in it may change the request
    switch (field) {
      case beast::field::host:
        ++hosts_;
        if (!is_host({value.data(), value.size()}))
          refuse({Status::bad_request, "Host is no host"}, error);
        break;
      case beast::field::transfer_encoding:
        only_chunked_ = !has_coding_ && iequals(value, "chunked");
        chunked_first_ =
            !has_coding_ && iequals(value.substr(0, value.find_first_of(" \t,;")), "chunked");
        has_coding_ = true;
        break;
      case beast::field::content_length:
        if (++lengths_ > 1 || value.find_first_not_of("0123456789") != View::npos)
          refuse({Status::bad_request, "Content-Length is no length, or not the only one"}, error);
        break;
      case beast::field::connection:
        says_close_ = says_close_ || beast::token_list{value}.exists("close");
        break;
      case beast::field::expect:
        expects_continue_ = iequals(value, "100-continue");
        if (!expects_continue_)
          refuse({Status::expectation_failed, "only 100-continue can be expected"}, error);
        break;
      case beast::field::content_type: keep(Field::content_type, value); break;
      case beast::field::range: keep(Field::range, value); break;
      case beast::field::if_range: keep(Field::if_range, value); break;
      case beast::field::if_modified_since: keep(Field::if_modified_since, value); break;
      default: break;
    }
  }

  void keep(Field name, View value) { request_.fields[name] = value.to_string(); }

  void on_header_impl(Error& error) override {
    request_.keep_alive = keep_alive() && !says_close_;
    if (hosts_ > 1 || (hosts_ == 0 && !request_.http_1_0))
      return refuse({Status::bad_request, "a request has exactly one Host"}, error);
    if (has_coding_ && request_.http_1_0)
      return refuse({Status::bad_request, "HTTP/1.0 has no Transfer-Encoding"}, error);
    if (has_coding_ && !only_chunked_) {
      if (chunked_first_)
        return refuse({Status::bad_request, "chunked must be the last transfer coding"}, error);
      return refuse({Status::not_implemented, "chunked is the only transfer coding here"}, error);
    }
    const bool has_body = chunked() || content_length().value_or(0) > 0;
    expects_continue_ = expects_continue_ && has_body && !request_.http_1_0;
    head_complete_ = true;
  }

  std::size_t on_body_impl(View bytes, Error&) override {
    request_.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  std::size_t on_chunk_body_impl(std::uint64_t left, View bytes, Error& error) override {
    chunk_left_ = left - bytes.size();
    return on_body_impl(bytes, error);
  }
  void on_finish_impl(Error&) override { complete_ = true; }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) override {}
  // A line break hidden in a quoted extension would end the line for a less careful reader.
  void on_chunk_header_impl(std::uint64_t size, View extension, Error& error) override {
    chunk_left_ = size;
    if (has_control({extension.data(), extension.size()})) refuse(malformed_chunk, error);
  }
  void on_response_impl(int, View, int, Error&) override {}

  HeadScanner scanner_;
  std::uint64_t chunk_left_ = 0;  // bytes of the chunk that is coming in
  int hosts_ = 0;
  int lengths_ = 0;
  bool says_close_ = false;
  bool has_coding_ = false;
  bool only_chunked_ = false;
  bool chunked_first_ = false;
};

}  // namespace

std::unique_ptr<Parser> Parser::make(const Settings& settings) {
  return std::make_unique<BeastParser>(settings);
}

std::string_view method_text(Method method) noexcept {
  switch (method) {
    case Method::get: return "GET";
    case Method::head: return "HEAD";
    case Method::post: return "POST";
    case Method::put: return "PUT";
    case Method::patch: return "PATCH";
    case Method::del: return "DELETE";
    case Method::options: return "OPTIONS";
    case Method::trace: return "TRACE";
    case Method::connect: return "CONNECT";
  }
  return "GET";
}

}  // namespace http
