#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/bundle/layer.h"

namespace berth::bundle {

/// The rules of the entries of a layer, given one by one in their order; the same for a tar, an index and what is to be packed.
class EntryRules {
 public:
  /// Why `entry` cannot come next; empty where it can. Its `sha256` is not looked at.
  std::string wrong(const Entry& entry);

 private:
  std::string last_;
  std::size_t count_ = 0;
  std::unordered_set<std::string> directories_;
};

/// `text` for a message: short, and without control characters.
std::string shown(std::string_view text);

}  // namespace berth::bundle
