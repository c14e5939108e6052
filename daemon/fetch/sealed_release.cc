#include "daemon/fetch/sealed_release.h"

#include <fmt/core.h>

#include "core/bundle/manifest.h"
#include "core/trust/client.h"
#include "core/trust/folder_remote.h"

namespace berth::fetch {

std::optional<std::string> listed_manifest(const RepositoryOptions& options, const ReleaseRef& release) {
  trust::FolderRemote nobody(options.trust_directory);
  trust::Client client(options.trust_directory, nobody, [] { return trust::WallTime(); });
  if (!client.load_local()) return std::nullopt;
  const auto target = client.find(bundle::target_name(release.app, release.environment, release.release));
  if (!target) return std::nullopt;
  const auto sha256 = target->hashes.find("sha256");
  if (sha256 == target->hashes.end()) return std::nullopt;
  return sha256->second;
}

Result<void> check_same_release(const ReleaseRef& release, const std::string& sealed, const std::string& listed) {
  if (sealed == listed) return {};
  return fail(Errc::trust, fmt::format("{}@{}: the repository lists another release under this id (its manifest is {}…) than the one that is sealed on this "
                                       "node ({}…). An id is one release's for ever, so neither is taken: publish it under a new id, with 'berth release', "
                                       "and deploy that",
                                       release.app, release.release, listed.substr(0, 12), sealed.substr(0, 12)));
}

}  // namespace berth::fetch
