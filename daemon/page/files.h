#pragma once

#include <string_view>

namespace berth::page {

/// A file of the status page.
struct File {
  std::string_view name;
  std::string_view etag;  ///< with its quotes; another one for another content
  std::string_view text;
};

/// The file of that name, or null.
const File* find_file(std::string_view name);

}  // namespace berth::page
