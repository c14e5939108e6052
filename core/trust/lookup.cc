#include "core/trust/lookup.h"

#include <functional>
#include <optional>
#include <ranges>
#include <set>

#include <fmt/core.h>

namespace berth::trust {
namespace {

/// A role still to be visited, and who says by whose keys it is signed.
struct Visit {
  std::string role;
  std::string delegator;
  RoleKeys keys;
};

/// A listing visits more than any lookup, since every app has a role; but not without end.
constexpr std::size_t kMostListedRoles = 4096;

Visit top_visit(const RoleKeys& top) { return {.role = "targets", .delegator = "root", .keys = top}; }

Target target_of(std::string_view name, const TargetInfo& info, const std::string& role) {
  return {.name = std::string(name), .length = info.length, .hashes = info.hashes, .role = role};
}

/// Puts the delegations of `targets` that cover `name` on the stack, the first on top. After a terminating one nothing else is
/// visited: neither those listed after it, nor what still waits from its ancestors.
void push_delegations(std::vector<Visit>& stack, const Targets& targets, const std::string& role, std::string_view name) {
  std::vector<Visit> next;
  for (const Delegation& delegation : targets.delegations) {
    if (!delegation.covers(name)) continue;
    next.push_back({.role = delegation.role, .delegator = role, .keys = delegation.keys});
    if (delegation.terminating) {
      stack.clear();
      break;
    }
  }
  for (Visit& visit : next | std::views::reverse) stack.push_back(std::move(visit));
}

/// Whether a failure concerns one role only, so that a listing goes on without it.
bool is_of_one_role(const Error& error) { return error.code == Errc::trust || error.code == Errc::not_found; }

/// The names that any reachable role lists, whether or not it may.
Result<std::set<std::string>> reachable_names(const RoleKeys& top, const RoleSource& source, std::vector<Error>* passed_over) {
  std::set<std::string> names;
  std::set<std::string> visited;
  std::vector<Visit> stack{top_visit(top)};
  while (!stack.empty() && visited.size() < kMostListedRoles) {
    const Visit visit = std::move(stack.back());
    stack.pop_back();
    if (!visited.insert(visit.role).second) continue;
    const auto targets = source(visit.role, visit.delegator, visit.keys);
    if (!targets) {
      if (visit.role == "targets" || !is_of_one_role(targets.error())) return pass(targets.error());
      if (passed_over != nullptr) passed_over->push_back(targets.error());
      continue;
    }
    for (const auto& [name, info] : (*targets)->targets) names.insert(name);
    for (const Delegation& delegation : (*targets)->delegations)
      stack.push_back({.role = delegation.role, .delegator = visit.role, .keys = delegation.keys});
  }
  return names;
}

/// Shows `look` the roles that may have `name`, in the order of a lookup, until it has seen enough.
Result<void> visit_roles(std::string_view name, const RoleKeys& top, const RoleSource& source, const std::function<bool(const std::string& role, const Targets&)>& look) {
  std::set<std::string> visited;
  std::vector<Visit> stack{top_visit(top)};
  while (!stack.empty()) {
    const Visit visit = std::move(stack.back());
    stack.pop_back();
    if (visited.contains(visit.role)) continue;
    if (visited.size() > kMostDelegations)
      return fail(Errc::not_found, fmt::format("target '{}' is not in the first {} roles that may have it", name, kMostDelegations));
    visited.insert(visit.role);

    BERTH_TRY(const Targets* targets, source(visit.role, visit.delegator, visit.keys));
    if (look(visit.role, *targets)) return {};
    push_delegations(stack, *targets, visit.role, name);
  }
  return {};
}

}  // namespace

Result<Target> find_target(std::string_view name, const RoleKeys& top, const RoleSource& source) {
  std::optional<Target> target;
  const auto look = [&](const std::string& role, const Targets& targets) {
    const auto found = targets.targets.find(name);
    if (found != targets.targets.end()) target = target_of(name, found->second, role);
    return target.has_value();
  };
  BERTH_CHECK(visit_roles(name, top, source, look));
  if (!target) return fail(Errc::not_found, fmt::format("target '{}' is not in the repository", name));
  return std::move(*target);
}

Result<std::vector<std::string>> names_beside(std::string_view name, const RoleKeys& top, const RoleSource& source) {
  const std::string_view folder = name.substr(0, name.rfind('/') + 1);  // all of it is 0 where there is no slash
  std::set<std::string> names;
  const auto look = [&](const std::string&, const Targets& targets) {
    for (const auto& [other, info] : targets.targets) {
      const std::string_view text = other;
      if (text.starts_with(folder) && text.find('/', folder.size()) == std::string_view::npos && text != name) names.insert(other);
    }
    return false;
  };
  BERTH_CHECK(visit_roles(name, top, source, look));
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<Target>> list_targets(const RoleKeys& top, const RoleSource& source, std::vector<Error>* passed_over) {
  BERTH_TRY(const auto names, reachable_names(top, source, passed_over));
  std::vector<Target> found;
  for (const std::string& name : names) {
    auto target = find_target(name, top, source);
    if (target) {
      found.push_back(std::move(*target));
    } else if (!is_of_one_role(target.error())) {
      return pass(std::move(target.error()));
    }
  }
  return found;
}

}  // namespace berth::trust
