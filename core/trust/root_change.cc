#include "core/trust/root_change.h"

#include <fmt/core.h>

#include "core/trust/role_document.h"

namespace berth::trust {

Result<json::object> next_root(const RepositoryFiles& files, const RootChange& change, WallTime expires) {
  json::object root = files.root_document;
  if (!change.role.empty()) {
    json::value* role = root["roles"].as_object().if_contains(change.role);
    if (role == nullptr) return fail(Errc::usage, fmt::format("'{}' is no role of root: root, targets, snapshot, timestamp", change.role));
    json::array ids;
    for (const crypto::PublicKey& key : change.keys) ids.emplace_back(list_key(root["keys"].as_object(), key));
    const auto threshold = change.threshold.value_or(role->at("threshold").to_number<std::int64_t>());
    if (threshold < 1 || static_cast<std::int64_t>(ids.size()) < threshold)
      return fail(Errc::usage, fmt::format("role {} would have {} keys, so {} of them cannot be needed", change.role, ids.size(), threshold));
    *role = json::object{{"keyids", std::move(ids)}, {"threshold", threshold}};
    drop_unused_keys(root);
  }
  renew(root, expires);
  return root;
}

Result<NextRoot> read_next_root(const RepositoryFiles& files, std::string_view bytes) {
  const std::string where = "the new root";
  BERTH_TRY(const Envelope envelope, open_envelope(bytes, where));
  NextRoot next{.bytes = std::string(bytes), .root = {}};
  BERTH_TRY(next.root, parse_root(envelope.content, where));
  if (next.root.issue.version != files.root.issue.version + 1)
    return fail(Errc::trust, fmt::format("{}: is version {}, and after {} comes {}", where, next.root.issue.version, files.root.issue.version,
                                         files.root.issue.version + 1));
  const auto check = [&](const RoleKeys& keys, const char* whose) -> Result<void> {
    auto enough = verify(envelope, keys, where + whose);
    if (!enough) enough.error().message += "; 'berth repo sign FILE --key KEY' adds a signature";
    return enough;
  };
  BERTH_CHECK(check(files.root.root, ", by the present root's keys"));
  BERTH_CHECK(check(next.root.root, ", by its own keys"));
  return next;
}

bool differ(const RoleKeys& present, const RoleKeys& next) { return present.threshold != next.threshold || present.keys != next.keys; }

}  // namespace berth::trust
