#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/trust/client.h"
#include "core/trust/dropped.h"
#include "core/trust/keyring.h"

namespace berth::trust {

/// How long what is signed may be believed. A reader takes nothing new once one of them has passed, so each is weighed against who has
/// to sign again by then:
struct Lifetimes {
  std::chrono::hours root{24 * 365};     ///< its key is best kept offline; once a year somebody has to fetch it
  std::chrono::hours targets{24 * 90};   ///< signed with every release anyway; a quarter without one needs a `refresh`
  std::chrono::hours snapshot{24 * 14};  ///< signed anew with every release and every `refresh`
  std::chrono::hours timestamp{24 * 7};  ///< how long a frozen mirror can go unnoticed; a daily timer may fail over a long weekend
};

/// The key files that `init` makes in its key folder; `root.pem` belongs offline afterwards.
inline constexpr const char* kKeyRoles[] = {"root", "targets", "snapshot", "timestamp"};

/// A role that the repository's targets hand part of their names to.
struct DelegatedRole {
  std::string role;
  std::vector<std::string> keyids;
  std::int64_t threshold = 1;
  std::vector<std::string> paths;
  std::int64_t version = 0;  ///< published; 0: nothing yet
  std::string trouble;       ///< why its file is not believed; empty where it is
};

/// What lies in a repository.
struct RepositoryState {
  std::vector<RoleState> roles;            ///< root, timestamp, snapshot, targets, and the delegated ones that are published and believed
  std::vector<DelegatedRole> delegations;  ///< in order of precedence
  std::vector<Target> targets;             ///< by name
  Dropped dropped;                         ///< of all roles, believed or not
};

/// Reads a repository's own folder, expired or not, without any lock. Fails with `Errc::not_found` where there is none, `Errc::trust` where
/// its files do not hold together.
Result<RepositoryState> read_repository(const std::filesystem::path& folder);

/// Makes a new repository in `folder` and, in `keys`, its Ed25519 keys. Fails with `Errc::exists` where there is one, or a key, already:
/// neither is ever replaced; and with `Errc::usage` where the key folder lies in the repository, which is served to everyone.
Result<void> init_repository(const std::filesystem::path& folder, const std::filesystem::path& keys, WallTime now, const Lifetimes& lifetimes = {});

struct DelegationChange;
struct RepositoryFiles;
struct Revocation;
struct RootChange;
struct HandedIn;

/// What a refresh is to sign.
enum class RefreshScope {
  all,             ///< timestamp, snapshot, and targets once half of their time is over; without the snapshot key, timestamp alone
  timestamp_only,
};

/// Publishes into a repository that is a folder of static files:
///
///   metadata/1.root.json  metadata/timestamp.json  metadata/<n>.snapshot.json  metadata/<n>.targets.json  metadata/<n>.<role>.json
///   metadata/root.json                                  the newest root, to pin
///   targets/<folder>/<sha256>.<name>                    immutable
///
/// Files that nothing lists yet come first and timestamp.json, which makes them count, last, each durable before the next: a reader, and a
/// publisher after a crash, sees the old state or the new one. One writer at a time has the repository.
class RepositoryWriter {
 public:
  /// Takes the lock. Fails with `Errc::conflict` where another publisher still holds it after `wait`, and as `read_repository` does.
  static Result<RepositoryWriter> open(const std::filesystem::path& folder, Keyring keys, std::function<WallTime()> now,
                                       const Lifetimes& lifetimes = {}, std::chrono::milliseconds wait = {});
  ~RepositoryWriter();
  RepositoryWriter(RepositoryWriter&&) noexcept;
  RepositoryWriter& operator=(RepositoryWriter&&) noexcept;

  /// Publishes targets by name. A name is for ever: one that exists with other bytes, or was dropped, fails the whole with `Errc::exists`; with
  /// the same bytes it is nothing new. `pointers` are those that may change. Needs the keys of targets, snapshot and timestamp; a missing one fails with
  /// `Errc::not_found` before anything that counts is written.
  Result<void> add_targets(const std::map<std::string, std::string>& targets, const std::map<std::string, std::string>& pointers = {});

  /// Signs anew what `scope` says.
  Result<void> refresh(RefreshScope scope = RefreshScope::all);

  /// Delegates a role or changes one, takes one or keys of it away (delegation_change.h). Needs the keys of targets, snapshot and timestamp.
  Result<void> delegate(const DelegationChange& change);
  Result<void> revoke(const Revocation& revocation);

  /// Publishes versions of delegated roles that `read_handed_in` found right; `targets` are the bytes of what is new in them, by name. Needs the keys of
  /// snapshot and timestamp.
  Result<void> accept(const std::vector<HandedIn>& roles, const std::map<std::string, std::string>& targets);

  /// The next root, signed by those of the keys of both roots that are at hand (root_change.h); it may have to be signed elsewhere before
  /// `replace_root` takes it. Writes nothing.
  Result<std::string> draft_root(const RootChange& change) const;
  /// Publishes a root that follows the present one, and signs what has other keys in it with those. Needs these keys, and where it can, the old ones,
  /// so that readers see no moment in which one does not fit the other.
  Result<void> replace_root(std::string_view bytes);

  const RepositoryFiles& files() const;
  const RepositoryState& state() const;

 private:
  struct State;
  explicit RepositoryWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Whether `name` can be a target: relative, segments of `[A-Za-z0-9._-]`, none of them `.` or `..`, so that any web server serves it.
bool is_target_name(std::string_view name);

}  // namespace berth::trust
