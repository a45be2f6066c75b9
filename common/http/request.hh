#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace http {

// The methods of RFC 9110 section 9 and PATCH. Any other is answered with 501 by the session.
enum class Method : std::uint8_t { get, head, post, put, patch, del, options, trace, connect };

[[nodiscard]] std::string_view method_text(Method method) noexcept;  // "GET"

// A field of the head that the service may look at.
enum class Field : std::uint8_t { content_type, range, if_range, if_modified_since };

// One whole request: what the service looks at, and nothing else of the head.
struct Request {
  Method method = Method::get;
  bool http_1_0 = false;
  bool keep_alive = true;  // what the client asked for, by version and Connection
  std::string target;      // path and query, as sent; an absolute form's origin is cut off
  std::string body;        // chunked coding is already undone
  std::map<Field, std::string> fields;  // most requests have none of them

  [[nodiscard]] std::string_view field(Field name) const {  // empty when there is none
    const auto found = fields.find(name);
    return found == fields.end() ? std::string_view{} : found->second;
  }

  [[nodiscard]] std::string_view path() const {  // not yet percent-decoded
    return std::string_view(target).substr(0, target.find('?'));
  }
  [[nodiscard]] std::string_view query() const {  // without the '?'; empty when there is none
    const std::size_t mark = target.find('?');
    return mark == std::string::npos ? std::string_view{}
                                     : std::string_view(target).substr(mark + 1);
  }
};

}  // namespace http
