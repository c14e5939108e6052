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

/// What lies in a repository.
struct RepositoryState {
  std::vector<RoleState> roles;  ///< root, timestamp, snapshot, targets
  std::vector<Target> targets;   ///< by name
};

/// Reads a repository's own folder, expired or not, without any lock. Fails with `Errc::not_found` where there is none, `Errc::trust` where
/// its files do not hold together.
Result<RepositoryState> read_repository(const std::filesystem::path& folder);

/// Makes a new repository in `folder` and, in `keys`, its Ed25519 keys. Fails with `Errc::exists` where there is one, or a key, already:
/// neither is ever replaced; and with `Errc::usage` where the key folder lies in the repository, which is served to everyone.
Result<void> init_repository(const std::filesystem::path& folder, const std::filesystem::path& keys, WallTime now, const Lifetimes& lifetimes = {});

/// Publishes into a repository that is a folder of static files:
///
///   metadata/1.root.json  metadata/timestamp.json  metadata/<n>.snapshot.json  metadata/<n>.targets.json
///   metadata/root.json                                  the newest root, to pin
///   targets/<folder>/<sha256>.<name>                    immutable
///
/// Files that nothing lists yet come first and timestamp.json, which makes them count, last, each durable before the next: a reader, and a
/// publisher after a crash, sees the old state or the new one. One writer at a time has the repository.
class RepositoryWriter {
 public:
  /// Takes the lock. Fails with `Errc::conflict` while another publisher holds it, and as `read_repository` does.
  static Result<RepositoryWriter> open(const std::filesystem::path& folder, const std::filesystem::path& keys,
                                       std::function<WallTime()> now, const Lifetimes& lifetimes = {});
  ~RepositoryWriter();
  RepositoryWriter(RepositoryWriter&&) noexcept;
  RepositoryWriter& operator=(RepositoryWriter&&) noexcept;

  /// Publishes targets by name. A name is for ever: one that exists with other bytes fails the whole with `Errc::exists`; with the same
  /// bytes it is nothing new. Needs the keys of targets, snapshot and timestamp; a missing one fails with `Errc::not_found` before
  /// anything is written.
  Result<void> add_targets(const std::map<std::string, std::string>& targets);

  /// Signs snapshot and timestamp anew, and targets where its key is there and half of its lifetime is over.
  Result<void> refresh();

  const RepositoryState& state() const;

 private:
  struct State;
  explicit RepositoryWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Whether `name` can be a target: relative, segments of `[A-Za-z0-9._-]`, none of them `.` or `..`, so that any web server serves it.
bool is_target_name(std::string_view name);

}  // namespace berth::trust
