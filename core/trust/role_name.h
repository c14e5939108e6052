#pragma once

#include <string>
#include <string_view>

namespace berth::trust {

/// A role's name as a file name and as a part of a URL: every byte but `A-Z a-z 0-9 _ . - ~` percent-encoded, so that no name leaves
/// its folder and no two share a file. `.json` is still to be added.
std::string encode_role(std::string_view role);

}  // namespace berth::trust
