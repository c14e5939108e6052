#include <algorithm>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/trust/glob.h"
#include "core/trust/metadata.h"

namespace berth::trust {
namespace {

/// Whether `hex` is the digest of `bytes`; nothing where the algorithm is not known.
std::optional<bool> has_digest(std::string_view bytes, std::string_view algorithm, std::string_view hex) {
  if (algorithm == "sha256") return crypto::sha256_hex(bytes) == hex;
  if (algorithm == "sha512") return crypto::sha512_hex(bytes) == hex;
  return std::nullopt;
}

}  // namespace

bool Delegation::covers(std::string_view target) const {
  if (!hash_prefixes.empty()) {
    const std::string digest = crypto::sha256_hex(target);
    return std::ranges::any_of(hash_prefixes, [&](const std::string& prefix) { return digest.starts_with(prefix); });
  }
  return std::ranges::any_of(paths, [&](const std::string& pattern) { return matches_glob(pattern, target); });
}

Result<void> check_hashes(std::string_view bytes, const Hashes& hashes, bool required, std::string_view where) {
  bool known = false;
  for (const auto& [algorithm, hex] : hashes) {
    const auto right = has_digest(bytes, algorithm, hex);
    if (right && !*right) return fail(Errc::trust, fmt::format("{}: its {} is not the signed one, {}…", where, algorithm, hex.substr(0, 12)));
    known = known || right;
  }
  if (known || !required) return {};
  return fail(Errc::trust, fmt::format("{}: is listed without a hash that berth knows (sha256, sha512)", where));
}

Result<void> check_file(std::string_view bytes, const FileInfo& info, std::string_view where) {
  if (info.length && static_cast<std::int64_t>(bytes.size()) != *info.length)
    return fail(Errc::trust, fmt::format("{}: has {} bytes, not the {} signed for", where, bytes.size(), *info.length));
  return check_hashes(bytes, info.hashes, !info.hashes.empty(), where);
}

}  // namespace berth::trust
