#include "daemon/deploy/policy.h"

#include <algorithm>
#include <filesystem>

#include <fmt/core.h>

namespace berth::deploy {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAny = "*";
constexpr std::string_view kFile = "file:";

bool is_of(const std::string& rule_app, const std::string& app) { return rule_app == kAny || rule_app == app; }

bool allows(const AppRules& rules, const std::string& app, const std::string& value) {
  return !rules || std::ranges::any_of(*rules, [&](const auto& rule) { return is_of(rule.first, app) && (rule.second == kAny || rule.second == value); });
}

/// What `path` comes to once its links are followed, as far as it is there.
fs::path real(const fs::path& path) {
  std::error_code error;
  const fs::path found = fs::weakly_canonical(path, error);
  return error ? fs::path() : found;
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  const auto [end_of_folder, ignored] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return !path.empty() && !folder.empty() && end_of_folder == folder.end();
}

/// The folders that an app's secrets may lie in, by the names that the policy has for them.
std::string folders_of(const AppRules& rules, const std::string& app) {
  std::string all;
  for (const auto& [rule_app, folder] : *rules)
    if (is_of(rule_app, app)) all += (all.empty() ? "" : ", ") + folder;
  return all.empty() ? "none" : all;
}

std::unexpected<Error> refuse(const bundle::Manifest& manifest, const std::string& asks, const char* key, const std::string& rule) {
  return fail(Errc::trust, fmt::format("{0}@{1}: {2}, and this node does not let {0} have that: [policy] {3} of berthd.toml has no \"{4}\"; add it there if {0} "
                                       "may, and restart berthd, or take it out of berth.toml and release anew",
                                       manifest.app, manifest.release, asks, key, rule));
}

Result<void> check_user(const Policy& policy, const bundle::Manifest& manifest) {
  const std::string& user = manifest.spec.user;
  if (user.empty() || allows(policy.users, manifest.app, user)) return {};
  return refuse(manifest, fmt::format("it is to run as the user {}", user), "users", fmt::format("{}:{}", manifest.app, user));
}

Result<void> check_groups(const Policy& policy, const bundle::Manifest& manifest) {
  for (const auto& [name, process] : manifest.spec.processes)
    for (const std::string& group : process.sandbox.supplementary_groups)
      if (!allows(policy.groups, manifest.app, group))
        return refuse(manifest, fmt::format("its process {} is to be in the group {}", name, group), "groups", fmt::format("{}:{}", manifest.app, group));
  return {};
}

Result<void> check_capabilities(const Policy& policy, const bundle::Manifest& manifest) {
  for (const auto& [name, process] : manifest.spec.processes)
    for (const std::string& word : process.sandbox.ambient_capabilities)
      if (!allows(policy.capabilities, manifest.app, word))
        return refuse(manifest, fmt::format("its process {} is to have {}", name, word), "capabilities", fmt::format("{}:{}", manifest.app, word));
  return {};
}

Result<void> check_secrets(const Policy& policy, const bundle::Manifest& manifest) {
  if (!policy.secret_folders) return {};
  for (const auto& [variable, reference] : manifest.secrets) {
    if (!reference.starts_with(kFile)) continue;
    const fs::path file = real(reference.substr(kFile.size()));
    const bool allowed = std::ranges::any_of(*policy.secret_folders, [&](const auto& rule) {
      return is_of(rule.first, manifest.app) && lies_in(file, real(rule.second));
    });
    if (!allowed)
      return fail(Errc::trust, fmt::format("{0}@{1}: its secret {2} ({3}) lies in no folder that this node lets {0} have secrets from ([policy] secret_folders of "
                                           "berthd.toml: {4}); add \"{0}:FOLDER\" there if it may, and restart berthd, or name another file and release anew",
                                           manifest.app, manifest.release, variable, reference, folders_of(policy.secret_folders, manifest.app)));
  }
  return {};
}

}  // namespace

Result<void> check_policy(const Policy& policy, const bundle::Manifest& manifest) {
  BERTH_CHECK(check_user(policy, manifest));
  BERTH_CHECK(check_groups(policy, manifest));
  BERTH_CHECK(check_capabilities(policy, manifest));
  return check_secrets(policy, manifest);
}

}  // namespace berth::deploy
