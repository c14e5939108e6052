#include "core/trust/keyring.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/trust/key.h"

namespace berth::trust {
namespace {

namespace fs = std::filesystem;

/// Adds a signer under the keyid it has in `listed`, if it has one.
void add_if_listed(std::vector<RoleSigner>& signers, const RoleKeys& listed, const std::shared_ptr<const Signer>& signer) {
  for (const auto& [keyid, key] : listed.keys) {
    if (key != signer->public_key()) continue;
    if (std::ranges::find(signers, keyid, &RoleSigner::keyid) == signers.end()) signers.push_back({.keyid = keyid, .signer = signer});
    return;  // one key under two names counts once
  }
}

/// "key 1f2e3d4c5b6a, key 0a1b2c3d4e5f": the listed ones that are not among the signers.
std::string absent_keys(const RoleKeys& listed, const std::vector<RoleSigner>& signers) {
  std::string text;
  for (const auto& [id, key] : listed.keys)
    if (std::ranges::find(signers, id, &RoleSigner::keyid) == signers.end()) text += (text.empty() ? "" : ", ") + short_keyid(id);
  return text;
}

}  // namespace

RoleSigner with_own_keyid(crypto::SigningKey key) {
  std::string id = keyid(key_object(key.public_key()));
  return {.keyid = std::move(id), .signer = signer_of(std::move(key))};
}

Keyring::Keyring(fs::path folder, crypto::AskPassphrase ask) : folder_(std::move(folder)), ask_(std::move(ask)) {}

/// `<role>.pem` first, which may be missing, then `<role>-….pem` by name.
std::vector<fs::path> Keyring::files_of(const std::string& role) const {
  if (folder_.empty()) return {};
  std::vector<fs::path> more;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(role + "-") && name.ends_with(".pem")) more.push_back(folder_ / name);
  }
  std::ranges::sort(more);
  more.insert(more.begin(), folder_ / (role + ".pem"));
  return more;
}

const Keyring::Loaded& Keyring::load(const fs::path& file) const {
  if (const auto known = loaded_.find(file); known != loaded_.end()) return known->second;
  Loaded loaded;
  if (auto key = crypto::SigningKey::load(file, ask_)) {
    loaded.signer = signer_of(std::move(*key));
  } else {
    loaded.error = std::move(key.error());
  }
  return loaded_.emplace(file, std::move(loaded)).first->second;
}

std::vector<RoleSigner> Keyring::signers_of(const std::string& role, const RoleKeys& listed) const {
  std::vector<RoleSigner> signers;
  for (const auto& signer : given_) add_if_listed(signers, listed, signer);
  for (const fs::path& file : files_of(role))
    if (const Loaded& loaded = load(file); loaded.signer) add_if_listed(signers, listed, loaded.signer);
  return signers;
}

Result<std::vector<RoleSigner>> Keyring::enough_for(const std::string& role, const RoleKeys& listed, const std::string& whose) const {
  auto signers = signers_of(role, listed);
  if (static_cast<std::int64_t>(signers.size()) >= listed.threshold) return signers;
  std::vector<fs::path> strange;
  for (const fs::path& file : files_of(role)) {
    const Loaded& loaded = load(file);
    if (!loaded.signer && loaded.error.code != Errc::not_found) return std::unexpected(loaded.error);
    const auto is_its = [&](const RoleSigner& one) { return one.signer == loaded.signer; };
    if (loaded.signer && std::ranges::none_of(signers, is_its)) strange.push_back(file);
  }
  if (!strange.empty())
    return fail(Errc::usage, fmt::format("{}: is not a key that {} lists for its role {}; not at hand: {}; name them with --key FILE",
                                         strange.front().string(), whose, role, absent_keys(listed, signers)));
  if (!given_.empty() && listed.threshold == 1) {
    std::string which;
    for (const auto& signer : given_) which += (which.empty() ? "" : ", ") + short_keyid(keyid(key_object(signer->public_key())));
    const std::string nor = folder_.empty() ? "" : fmt::format("; nor is there {}/{}.pem", folder_.string(), role);
    return fail(Errc::not_found, fmt::format("{}: the key of role {} is not at hand: what was given ({}) is none of its keys ({}){}; name it with --key FILE", whose, role, which,
                                             absent_keys(listed, signers), nor));
  }
  std::string where = folder_.empty() ? "" : fmt::format("{}/{}.pem", folder_.string(), role);
  if (!given_.empty()) where = "the keys that were given" + (where.empty() ? "" : " and " + where);
  if (where.empty()) where = "no key was given";
  if (listed.threshold == 1)
    return fail(Errc::not_found, fmt::format("{}: the key of role {} is not at hand: {}; name it with --key FILE", whose, role, where));
  return fail(Errc::not_found, fmt::format("{}: role {} needs {} signatures, and {} of its keys are at hand: {}; not at hand: {}", whose, role,
                                           listed.threshold, signers.size(), where, absent_keys(listed, signers)));
}

}  // namespace berth::trust
