#pragma once

#include <map>
#include <string>
#include <vector>

namespace berth::spec {

/// Who waits for whom: name → those that come before.
using Waiting = std::map<std::string, std::vector<std::string>>;

/// `names` and what they wait for, each after those that it waits for, else in the order given. Names that `waiting` does not have are left out, and
/// where some wait for each other, one of them comes first.
std::vector<std::string> in_order(const std::vector<std::string>& names, const Waiting& waiting);

/// The way from `name` back to itself, such as {"a", "b", "a"}; empty where there is none.
std::vector<std::string> circle_of(const std::string& name, const Waiting& waiting);

}  // namespace berth::spec
