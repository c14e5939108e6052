#include <filesystem>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include "core/crypto/secret.h"
#include "core/files/files.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {

Result<Values> resolve_secrets(const NodeFacts& node, const bundle::Manifest& manifest, bool run_commands) {
  Values values;
  if (!manifest.secrets.empty() && !node.run_in_memory)
    return fail(Errc::usage, fmt::format("{}@{}: has secrets, and {} is on a disk, where they would stay: mount a tmpfs there, or let [paths] run of "
                                         "berthd.toml be below /run, and restart berthd",
                                         manifest.app, manifest.release, node.paths.run.string()));
  for (const auto& [variable, reference] : manifest.secrets) {
    if (!run_commands && reference.starts_with(secrets::kCommand)) {
      if (const auto may = secrets::check_command(reference, node.secret_sources); !may)
        return pass(may.error(), fmt::format("{}@{}: secret {} ({})", manifest.app, manifest.release, variable, reference));
      values.emplace(variable, "");
      continue;
    }
    const auto value = secrets::resolve(reference, node.secret_sources);
    if (!value) return pass(value.error(), fmt::format("{}@{}: secret {} ({})", manifest.app, manifest.release, variable, reference));
    if (node.given_secrets) node.given_secrets->note(manifest.app, value->view());
    values.emplace(variable, value->view());
  }
  return values;
}

namespace {

/// A file of a folder of secrets, which the app may have written to; nothing where it is no plain file.
std::optional<std::string> read_given(int folder, const std::filesystem::path& path) {
  const auto file = files::open_below(folder, path.filename().string(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat status{};
  if (!file || ::fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  auto value = files::read(file->get(), path.string(), secrets::kMostSecret);
  if (!value) return {};
  return std::move(*value);
}

}  // namespace

Result<Values> secrets_given_to(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id) {
  const std::filesystem::path folder = folders_of(node, id).secrets;
  BERTH_TRY(const auto opened, files::open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  Values values;
  for (const auto& [variable, reference] : manifest.secrets) {
    auto value = read_given(opened.get(), folder / variable);
    if (!value || value->find('\0') != std::string::npos) return fail(Errc::not_found, (folder / variable).string() + ": it is not as it was given");
    values.emplace(variable, *value);
    crypto::wipe(*value);
  }
  return values;
}

void learn_secrets(const NodeFacts& node, const std::vector<InstanceId>& instances) {
  for (const InstanceId& id : instances) {
    const std::filesystem::path folder = folders_of(node, id).secrets;
    const auto opened = files::open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);  // what is in it may be the app's own doing
    if (!opened) continue;
    std::size_t files = 0;
    std::error_code failed;
    for (std::filesystem::directory_iterator entry(folder, failed); !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
      if (++files > secrets::KnownSecrets::kMost) break;
      auto value = read_given(opened->get(), entry->path());
      if (!value) continue;
      node.given_secrets->note(id.app, *value);
      crypto::wipe(*value);
    }
  }
}

}  // namespace berth::deploy
