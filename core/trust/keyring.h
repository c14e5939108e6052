#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/trust/signer.h"
#include "core/trust/verify.h"

namespace berth::trust {

/// Who signs for a role, under the keyid that its delegator gave the key.
struct RoleSigner {
  std::string keyid;
  std::shared_ptr<const Signer> signer;
};

/// A key under the keyid that berth gives it.
RoleSigner with_own_keyid(crypto::SigningKey key);

/// The private keys a publisher has at hand: those it was given, and a folder's, `<role>.pem` and `<role>-<anything>.pem`, which are read when
/// that role is to be signed. A key counts for a role when the metadata lists it, whatever its file is called.
class Keyring {
 public:
  Keyring() = default;
  Keyring(std::filesystem::path folder, crypto::AskPassphrase ask = {});  // NOLINT: a folder of keys is a keyring

  void add(std::shared_ptr<const Signer> signer) { given_.push_back(std::move(signer)); }
  const std::vector<std::shared_ptr<const Signer>>& given() const { return given_; }

  /// Those at hand that `listed` names: none, a few, or more than its threshold. Each key once.
  std::vector<RoleSigner> signers_of(const std::string& role, const RoleKeys& listed) const;

  /// At least `listed.threshold` signers. `Errc::not_found` where keys are not at hand, `Errc::usage` where the key that should sign is another one,
  /// and as reading its file fails. `whose` names the repository.
  Result<std::vector<RoleSigner>> enough_for(const std::string& role, const RoleKeys& listed, const std::string& whose) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  struct Loaded {
    std::shared_ptr<const Signer> signer;  ///< null where reading failed
    Error error;
  };
  std::vector<std::filesystem::path> files_of(const std::string& role) const;
  const Loaded& load(const std::filesystem::path& file) const;

  std::filesystem::path folder_;
  crypto::AskPassphrase ask_;
  std::vector<std::shared_ptr<const Signer>> given_;
  mutable std::map<std::filesystem::path, Loaded> loaded_;
};

}  // namespace berth::trust
