#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/release_file/others.h"
#include "core/release_file/release_file.h"
#include "core/trust/client.h"

namespace berth::release_file {
Result<Found> find_release(const Source& source, const ReleaseRef& release) {
  const files::TemporaryDirectory trusted;
  trust::Client client(trusted.path(), source.metadata, [now = source.now] { return now; });
  client.allow_expired(true);
  BERTH_CHECK(client.init(source.root));
  BERTH_CHECK(client.refresh());
  const auto target = client.find(bundle::target_name(release.app, release.environment, release.release));
  if (!target && target.error().code == Errc::not_found) return not_there(client, release);
  BERTH_CHECK(target);
  BERTH_TRY(const std::string text, client.download(*target, source.targets));
  Found found{.manifest = {}, .role = target->role, .keys = target->keys, .expired = client.expired()};
  BERTH_TRY(found.manifest, bundle::parse_manifest(text));
  if (ReleaseRef{.app = found.manifest.app, .environment = found.manifest.environment, .release = found.manifest.release} != release)
    return fail(Errc::trust, fmt::format("{}: what is signed for under its name is another release", to_string(release)));
  return found;
}

Result<std::string> read_blob(const Source& source, const bundle::BlobRef& ref) {
  const std::string path = bundle::blob_path(ref.sha256);
  if (ref.size > bundle::kLargestIndex)
    return fail(Errc::protocol, fmt::format("{}: has {} bytes; {} are allowed at most", path, ref.size, bundle::kLargestIndex));
  std::string bytes;
  const std::function<Result<void>(std::string_view)> take = [&](std::string_view piece) -> Result<void> {
    if (piece.size() > ref.size - bytes.size()) return fail(Errc::trust, fmt::format("{}: is longer than what was signed for", path));
    bytes += piece;
    return {};
  };
  BERTH_CHECK(source.blob(path, 0, ref.size, take));
  if (bytes.size() != ref.size || crypto::sha256_hex(bytes) != ref.sha256)
    return fail(Errc::trust, fmt::format("{}: is not what was signed for (damaged?)", path));
  return bytes;
}

}  // namespace berth::release_file
