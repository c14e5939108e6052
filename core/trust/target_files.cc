#include "core/trust/target_files.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/trust/repository_files.h"

namespace berth::trust {

Result<std::map<std::string, std::string>> new_targets(const RepositoryState& held, const std::map<std::string, std::string>& targets,
                                                       const std::map<std::string, std::string>& pointers) {
  std::map<std::string, std::string> added;
  const auto take = [&](const std::string& name, const std::string& bytes, bool may_change) -> Result<void> {
    if (!is_target_name(name)) return fail(Errc::usage, fmt::format("'{}' cannot be a target's name", name));
    const auto known = std::ranges::find(held.targets, name, &Target::name);
    const bool is_held = known != held.targets.end();
    if (is_held && check_target(bytes, *known)) return {};
    if (is_held && !may_change)
      return fail(Errc::exists, fmt::format("'{}' is in the repository with other content, and is never replaced; publish under a new name", name));
    if (!may_change && held.dropped.contains(name))
      return fail(Errc::exists, fmt::format("'{}' was in the repository and has been dropped, and a name is never used again; publish under a new name", name));
    added.emplace(name, bytes);
    return {};
  };
  for (const auto& [name, bytes] : targets) BERTH_CHECK(take(name, bytes, false));
  for (const auto& [name, bytes] : pointers) BERTH_CHECK(take(name, bytes, true));
  return added;
}

Result<void> write_targets(const std::filesystem::path& folder, const std::map<std::string, std::string>& targets, json::object& listed) {
  for (const auto& [name, bytes] : targets) {
    const std::string sha256 = crypto::sha256_hex(bytes);
    const auto file = folder / file_of_target(name, sha256);
    BERTH_CHECK(files::make_directories(file.parent_path()));
    BERTH_CHECK(files::replace(file, bytes));
    listed[name] = json::object{{"length", bytes.size()}, {"hashes", {{"sha256", sha256}}}};
  }
  return {};
}

}  // namespace berth::trust
