#pragma once

#include <string>
#include <vector>

#include "core/spec/toml.h"

namespace berth::config {

/// A key that two files have.
struct InTwo {
  std::string table;             ///< empty: the top
  std::string key;
  toml::source_region was, is;   ///< in the earlier file, and in the later one
  bool differs = false;          ///< the value is another one
};

/// What came of putting files together.
struct Merged {
  std::vector<InTwo> overridden;  ///< the later value counts
  std::vector<InTwo> clashes;     ///< one is a table, or a list of tables, and the other is not; the earlier one was left
};

/// Takes all that `later` has into `into`: tables are put together, key by key; lists of tables go one behind the other; of anything else the later value counts.
/// Each value keeps its place in its file.
void merge(toml::table& into, toml::table&& later, Merged& merged);

/// As it stands in a file, in double quotes.
std::string as_toml(const toml::node& node);

}  // namespace berth::config
