#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/crypto/keys.h"
#include "core/json/json.h"
#include "core/trust/remote.h"
#include "core/trust/time.h"

namespace berth::trust {

/// When the tests' metadata is looked at, and when it expires unless a test says otherwise.
inline const WallTime kNow = *parse_time("2030-01-01T00:00:00Z");
inline constexpr const char* kLater = "2031-01-01T00:00:00Z";
inline constexpr const char* kPast = "2029-01-01T00:00:00Z";

/// A role of the fake: what it says, and who signs it. Both are open to a test.
struct FakeRole {
  json::object content;
  std::vector<const crypto::SigningKey*> signers;
};

/// A TUF repository in memory, signed with Ed25519, that answers as a web server does and remembers what it was asked. It signs what its
/// roles say at the moment they are asked for; roots are kept from `publish_root` on.
class FakeRepository : public Remote {
 public:
  FakeRepository();

  Result<std::string> get(std::string_view path, std::uint64_t most) override;

  /// A new key, owned by the repository.
  const crypto::SigningKey* new_key();
  /// Lists `key` for a role in root (not yet published), and signs that role with it.
  void add_key(const std::string& role, const crypto::SigningKey* key);
  /// Takes all keys of a role away.
  void clear_keys(const std::string& role);

  /// Raises root's version and publishes it, signed by root's signers and `also`.
  void publish_root(const std::vector<const crypto::SigningKey*>& also = {});
  /// Raises the version of timestamp and of snapshot, and lists every role's present version.
  void update_snapshot();
  void update_timestamp();

  /// Lists a target in a role.
  void add_target(const std::string& role, const std::string& name, const std::string& bytes);
  /// Delegates from one role to another, which is made where it does not exist. Call `update_snapshot` afterwards.
  json::object& delegate(const std::string& from, const std::string& to, json::array paths, bool terminating = false);

  static void raise(json::object& content);
  static std::string sign(const FakeRole& role);

  FakeRole& operator[](const std::string& role) { return roles.at(role); }
  const std::string& root_bytes(std::size_t version) const { return roots.at(version - 1); }

  std::map<std::string, FakeRole> roles;
  std::vector<std::string> roots;
  std::vector<std::string> requests;
  std::map<std::string, std::function<Result<std::string>()>> instead;  ///< answers of a test's own, by path

 private:
  std::vector<std::unique_ptr<crypto::SigningKey>> keys_;
};

/// A web server of targets.
class FakeTargets : public Remote {
 public:
  Result<std::string> get(std::string_view path, std::uint64_t most) override;

  std::map<std::string, std::string> files;
  std::vector<std::string> requests;
};

json::object key_of(const crypto::SigningKey& key);
std::string keyid_of(const crypto::SigningKey& key);

}  // namespace berth::trust
