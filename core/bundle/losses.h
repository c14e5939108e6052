#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::bundle {

/// What a folder, an archive or an image has that no build keeps: how many, and the first few by name.
struct Losses {
  struct Some {
    std::uint64_t count = 0;
    std::vector<std::string> first;
    void add(std::string_view path);
  };
  Some setuid, capabilities, devices, closed, environments;

  /// A line for each kind that there is.
  std::vector<std::string> notes() const;
};

/// Whether a file on the disk has file capabilities. What cannot be looked at has none.
bool has_file_capabilities(int file);

}  // namespace berth::bundle
