#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::cli::doctor {

inline constexpr std::string_view kRedacted = "(redacted)";

/// `text` with nothing left of addresses (`scheme://…`, also as JSON in JSON has them, `https:\/\/…`) but scheme, host and port: who asks, path, query and
/// fragment may each be a password. What `file://` without a host names is a path of this machine, and stays.
std::string without_parts_of_addresses(std::string_view text);

/// What of the addresses in `text` is looked for elsewhere, where it may stand without its address: users with their passwords, paths, and what in them
/// looks like something that is drawn by lot.
std::vector<std::string> secrets_of_addresses(std::string_view text);

}  // namespace berth::cli::doctor
