#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"
#include "core/spec/deploy.h"

namespace berth::spec {

/// A duration in its shortest form; complains of anything else, and is 0 then.
milliseconds duration(json::ObjectReader& reader, std::string_view name);

json::value list_of(const std::vector<std::string>& items);

/// Member 'after', there only where it names something.
std::vector<std::string> names_after(json::ObjectReader& reader);

/// The place in `words` of a member's value; complains of one that is not there, and is 0 then.
std::size_t choice(json::ObjectReader& reader, std::string_view name, std::span<const std::string_view> words);

}  // namespace berth::spec
