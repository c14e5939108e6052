#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>

#include "core/json/json.h"

namespace berth::trust {

/// Names of targets that a role, or one that it delegated to, listed once and lists no more. They lie in the member `dropped` of what the role signs, which
/// clients leave alone. Publishers never give one of them to another target, since a node that took the first one knows it by its name alone.
using Dropped = std::set<std::string, std::less<>>;

inline constexpr std::size_t kMostDropped = 20'000;  ///< names in one list

/// The list of a targets role's document. What is no name in it is passed over.
Dropped dropped_in(const json::object& document);

/// Both lists as one. Where that had more than kMostDropped names, the folder with the most of them (`web/production/`) goes without the lowest: shorter
/// before longer, then by bytes, so that of `v1`, `v2`, … the highest stays.
Dropped join_dropped(Dropped names, const Dropped& more);

/// Adds names to a document's list; a document without any has no such member.
void add_dropped(json::object& document, const Dropped& names);

}  // namespace berth::trust
