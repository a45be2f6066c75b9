#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <ctime>
#include <filesystem>
#include <string>

#include "app/files.hh"
#include "body.hh"
#include "http/date.hh"
#include "tree.hh"

namespace tests {

using http::Response;
using http::Status;

inline const std::string letters = "abcdefghijklmnopqrstuvwxyz";

// Some files below a root, and one outside that nobody may get at.
class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    tree.write("outside/secret.txt", "secret");
    tree.write("root/letters.txt", letters);
    tree.write("root/dir/inner.html", "inner");
  }

  // What `target` of "/files/" + target is answered with; 400 for a malformed escape.
  Response get(const std::string& target) {
    const auto path = app::percent_decode(target);
    if (!path) return {Status::bad_request, "", {}, {}, {}};
    return files.serve(*path, request);
  }

  void expect_not_found(const std::string& target) {
    Response response = get(target);
    EXPECT_EQ(response.status, Status::not_found) << target;
    EXPECT_EQ(body_of(response).find("secret"), std::string::npos) << target;
  }

  void link(const std::string& to, const std::string& name) {
    std::filesystem::create_symlink(to, tree.path("root/" + name));
  }

  // When the file was modified, as Last-Modified has it.
  std::string date(const std::string& name, std::time_t later = 0) {
    struct stat state {};
    EXPECT_EQ(::stat(tree.path("root/" + name).c_str(), &state), 0);
    return http::format_date(state.st_mtime + later);
  }

  Tree tree;
  app::Files files{tree.directory("root")};
  http::Request request;
};

}  // namespace tests
