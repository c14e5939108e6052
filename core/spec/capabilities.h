#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/spec/sandbox.h"

namespace berth::spec {

inline constexpr std::uint64_t kAllCapabilities = ~std::uint64_t{0};

/// The number of "CAP_NET_BIND_SERVICE" and the like; nothing for other words.
std::optional<int> capability(std::string_view word);
std::vector<std::string> capability_words();

/// A bit for each of them, 1 << number. Words that are none have none.
std::uint64_t capability_mask(const std::vector<std::string>& words);

/// What a process and all that descends from it can ever have: what its sandbox says, and where that says nothing all for root, and for others what is given to them.
std::uint64_t bounding_set(const Sandbox& sandbox, bool is_root);

}  // namespace berth::spec
