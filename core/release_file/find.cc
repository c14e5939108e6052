#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/json/json.h"
#include "core/release_file/release_file.h"
#include "core/trust/client.h"

namespace berth::release_file {
namespace {

/// Keeps the last file that was got, by its name in the repository.
class Listening : public trust::Remote {
 public:
  explicit Listening(trust::Remote& remote) : remote_(remote) {}
  Result<std::string> get(std::string_view path, std::uint64_t most) override {
    auto bytes = remote_.get(path, most);
    if (bytes) got_.emplace_back(path, *bytes);
    return bytes;
  }
  /// Key ids of the signatures of the role's file.
  std::vector<std::string> keys_of(const std::string& role) const {
    std::vector<std::string> keys;
    for (const auto& [path, bytes] : got_) {
      if (path != role + ".json" && !path.ends_with("." + role + ".json")) continue;
      keys.clear();
      const auto parsed = json::parse(bytes);
      if (!parsed || !parsed->is_object()) continue;
      const auto* signatures = parsed->get_object().if_contains("signatures");
      if (signatures == nullptr || !signatures->is_array()) continue;
      for (const auto& one : signatures->get_array()) {
        const auto* id = one.is_object() ? one.get_object().if_contains("keyid") : nullptr;
        if (id != nullptr && id->is_string()) keys.emplace_back(id->get_string());
      }
    }
    return keys;
  }

 private:
  trust::Remote& remote_;
  std::vector<std::pair<std::string, std::string>> got_;
};

}  // namespace

Result<Found> find_release(const Source& source, const ReleaseRef& release) {
  const files::TemporaryDirectory trusted;
  Listening metadata(source.metadata);
  trust::Client client(trusted.path(), metadata, [now = source.now] { return now; });
  client.allow_expired(true);
  BERTH_CHECK(client.init(source.root));
  BERTH_CHECK(client.refresh());
  const auto target = client.find(bundle::target_name(release.app, release.environment, release.release));
  if (!target && target.error().code == Errc::not_found) return fail(Errc::not_found, fmt::format("{} is not in the repository", to_string(release)));
  BERTH_CHECK(target);
  BERTH_TRY(const std::string text, client.download(*target, source.targets));
  Found found{.manifest = {}, .role = target->role, .keys = metadata.keys_of(target->role)};
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
