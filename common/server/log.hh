#pragma once

#include <string_view>

namespace server {

// Writes one line to standard error with a single write(2), so that the lines of threads and
// processes never mix. Standard output says only that the server is ready.
void log(std::string_view line);

}  // namespace server
