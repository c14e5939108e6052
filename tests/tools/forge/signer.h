#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/json/json.h"
#include "core/result.h"
#include "core/trust/keyring.h"

namespace berth::forge {

/// Signs anything into a repository, with the keys of its targets, snapshot and timestamp, and without the checks that a publisher makes.
class Signer {
 public:
  static Result<Signer> open(const std::filesystem::path& repository, const std::filesystem::path& keys);

  void add_blob(const std::string& sha256, const std::string& bytes) const;
  /// A target of the role `targets`.
  void add_target(const std::string& name, const std::string& bytes) { add(targets_, name, bytes); }
  /// Delegates `paths` to a role with a key of its own, which signs `targets` whatever their names. With `signed_by`, a role that was delegated before
  /// signs in its stead.
  Result<void> delegate(const std::string& role, const std::string& paths, const std::map<std::string, std::string>& targets,
                        const std::string& signed_by = {});
  /// Writes what was added.
  Result<void> publish();

 private:
  void add(json::object& document, const std::string& name, const std::string& bytes) const;
  Result<void> sign(const std::string& role, json::object& document, bool numbered);

  std::filesystem::path repository_, keys_;
  std::map<std::string, trust::RoleSigner> delegates_;
  json::object timestamp_, snapshot_, targets_;
};

}  // namespace berth::forge
