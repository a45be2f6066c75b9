#include "http/status.hh"

#include <gtest/gtest.h>

#include <string>

namespace {

using http::Status;
using http::status_text;

TEST(Status, BeginsWithItsCode) {
  for (const Status status :
       {Status::ok, Status::partial_content, Status::not_modified, Status::bad_request,
        Status::not_found, Status::method_not_allowed, Status::request_timeout,
        Status::content_too_large, Status::uri_too_long, Status::range_not_satisfiable,
        Status::expectation_failed, Status::fields_too_large, Status::server_error,
        Status::not_implemented, Status::unavailable, Status::version_not_supported}) {
    const std::string code = std::to_string(static_cast<int>(status)) + " ";
    EXPECT_TRUE(status_text(status).starts_with(code)) << status_text(status);
    EXPECT_GT(status_text(status).size(), code.size()) << "a reason phrase follows";
  }
}

TEST(Status, GoesOnWithItsReasonPhrase) {
  EXPECT_EQ(status_text(Status::ok), "200 OK");
  EXPECT_EQ(status_text(Status::fields_too_large), "431 Request Header Fields Too Large");
}

}  // namespace
