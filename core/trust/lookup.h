#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/trust/client.h"
#include "core/trust/metadata.h"

namespace berth::trust {

/// Gives a targets role, verified with the keys that `delegator` gives it, fetching it where it is not held.
using RoleSource = std::function<Result<const Targets*>(const std::string& role, const std::string& delegator, const RoleKeys& keys)>;

/// The most delegated roles that one lookup visits.
inline constexpr std::size_t kMostDelegations = 32;

/// Looks a target up: depth first, in the order that roles list their delegations, each role once (TUF 5.6.7). `top` are the keys of
/// the role `targets`. Fails with `Errc::not_found` where no role that may have it lists it, and with whatever `source` failed with.
Result<Target> find_target(std::string_view name, const RoleKeys& top, const RoleSource& source);

/// The names in the folder of `name` that the roles list which may have it: "web/production/v1.json" beside "web/production/v9.json". Whether a lookup finds each is
/// not asked. It visits what a lookup of `name` does, and fails as that does, but where nobody has it.
Result<std::vector<std::string>> names_beside(std::string_view name, const RoleKeys& top, const RoleSource& source);

/// All targets that a lookup would find, by name. What failed in a single role goes to `passed_over`, if given; a failure of the
/// repository itself ends the listing.
Result<std::vector<Target>> list_targets(const RoleKeys& top, const RoleSource& source, std::vector<Error>* passed_over);

}  // namespace berth::trust
