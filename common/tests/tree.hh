#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tests {

// A directory of its own for a test, gone with all that is in it when the test ends.
class Tree {
 public:
  Tree() {
    std::string name = (std::filesystem::temp_directory_path() / "c10k-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
    root_ = name;
  }
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return root_ / name; }

  // Makes a directory in it, and returns its path.
  [[nodiscard]] std::string directory(const std::string& name) const {
    std::filesystem::create_directories(path(name));
    return path(name);
  }

  void write(const std::string& name, const std::string& bytes) const {
    const std::filesystem::path file = path(name);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
  }

 private:
  std::filesystem::path root_;
};

}  // namespace tests
