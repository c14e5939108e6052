#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/result.h"
#include "core/trust/keyring.h"
#include "core/trust/repository.h"

namespace berth::trust {

/// Signs the next version of a delegated role and hands it in:
///
///   <incoming>/<role>/metadata/<n>.<role>.json
///   <incoming>/<role>/targets/<folder>/<sha256>.<name>
///
/// It needs the role's own key and reads the repository; it writes nothing there. What was handed in and not accepted yet is its base, so that several
/// versions may wait. One writer at a time has the role's folder.
class RoleWriter {
 public:
  /// Takes the lock of the folder. Fails with `Errc::not_found` for a role that is not delegated, with `Errc::conflict` where another holds the lock after `wait`,
  /// and with `Errc::trust` where what is published, or waits, is not signed by the role's keys; `vouch` takes what is published all the same.
  static Result<RoleWriter> open(const std::filesystem::path& repository, const std::filesystem::path& incoming, const std::string& role, Keyring keys,
                                 std::function<WallTime()> now, bool vouch = false, const Lifetimes& lifetimes = {}, std::chrono::milliseconds wait = {});
  ~RoleWriter();
  RoleWriter(RoleWriter&&) noexcept;
  RoleWriter& operator=(RoleWriter&&) noexcept;

  /// As `RepositoryWriter::add_targets`; a name that is not delegated to the role fails with `Errc::usage`.
  Result<void> add_targets(const std::map<std::string, std::string>& targets, const std::map<std::string, std::string>& pointers = {});
  /// Signs the next version with the same targets, so that it lives longer.
  Result<void> refresh();
  /// Leaves a target out of the next version, which keeps its name (dropped.h): only of a role that was taken over by `vouch`. `Errc::not_found` where it
  /// is not listed.
  Result<void> drop(const std::string& name);

  /// The repository as it will be when all that waits is accepted.
  const RepositoryState& state() const;
  /// `<incoming>/<role>`
  std::filesystem::path folder() const;
  /// The newest file that waits, and how many more of the role's keys must sign it (`berth repo sign`). Version 0: nothing waits.
  std::int64_t version() const;
  std::filesystem::path file() const;
  std::int64_t missing_signatures() const;

 private:
  struct State;
  explicit RoleWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace berth::trust
