#pragma once

// What Boost's own parser includes would warn of itself.
#define BOOST_BIND_GLOBAL_PLACEHOLDERS
#include <boost/property_tree/json_parser.hpp>
#include <charconv>
#include <cstddef>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace crowd {

// One line of input: a JSON object. Fields that are missing have defaults; a field that is not
// what it should be is an error, never the default.
class Command {
 public:
  explicit Command(const std::string& line) {
    std::istringstream input(line);
    boost::property_tree::read_json(input, fields_);
  }

  [[nodiscard]] std::string text(const std::string& name, const std::string& fallback = "") const {
    return fields_.get(name, fallback);
  }
  [[nodiscard]] double number(const std::string& name, double fallback) const {
    const auto field = fields_.get_child_optional(name);
    const double value = field ? number_in(field->data()) : fallback;
    if (!(value >= 0 && value <= 1e12)) throw std::invalid_argument(name + " is out of range");
    return value;
  }
  [[nodiscard]] std::size_t count(const std::string& name, std::size_t fallback) const {
    return static_cast<std::size_t>(number(name, static_cast<double>(fallback)));
  }
  [[nodiscard]] bool flag(const std::string& name) const {
    const auto field = fields_.get_child_optional(name);
    return field && field->get_value<bool>();
  }

 private:
  [[nodiscard]] static double number_in(const std::string& text) {
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size())
      throw std::invalid_argument("'" + text + "' is not a number");
    return value;
  }

  boost::property_tree::ptree fields_;
};

}  // namespace crowd
