#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/bundle/layer.h"
#include "core/bundle/manifest.h"
#include "core/crypto/secret.h"
#include "core/ids.h"
#include "core/io/http.h"
#include "core/result.h"
#include "core/trust/client.h"
#include "daemon/fetch/glance.h"
#include "daemon/fetch/partial_blobs.h"
#include "daemon/fetch/refusal.h"

namespace berth::fetch {

namespace fs = std::filesystem;

/// `[repository]` of berthd.toml.
struct RepositoryOptions {
  std::string url;              ///< http://, https:// or file:// (or a folder's path), without a trailing slash; empty: release files alone
  std::vector<std::string> mirrors;  ///< likewise; asked in this order where `url` does not answer
  fs::path root;                ///< the pinned root.json
  fs::path trust_directory;     ///< where trusted metadata is kept
  fs::path partial_directory{};  ///< where what came of blobs is kept until they are whole; on the file system of staging; empty: beside them in staging
  io::TlsOptions tls;
  bool offline = false;         ///< ask nobody for metadata: what is trusted already has to do, expired or not
  std::int64_t build_time = 0;  ///< seconds since 1970 of berthd's build: the clock is not believed behind it
  /// The value of the Authorization header, looked up anew for each call; unset: none. It goes to scheme, host and port of `url`, and to mirrors of the
  /// very same. May block.
  std::function<Result<crypto::Secret>()> authorization;
  io::ProxyOptions proxy;
  std::uint64_t bytes_per_second = 0;  ///< at most, on average, all fetches at once together; 0: no limit
  std::function<void(const std::string&)> note;  ///< told of each place that is passed over; from pool threads
};

/// How far a fetch is; written by a pool thread, read by the loop.
struct Progress {
  std::atomic<std::uint64_t> bytes_total{0}, bytes_done{0};
};

/// What the node's trust is like, for status and metrics.
struct TrustStatus {
  std::vector<trust::RoleState> roles;
  std::string last_success;  ///< RFC 3339, UTC; empty: never
  std::string last_error;
  Refusals refusals{};       ///< since berthd began
};

/// A release that was looked up and whose manifest was verified.
struct Resolved {
  bundle::Manifest manifest;
  std::string manifest_text;    ///< as signed
  std::string manifest_sha256;
  bundle::BuildRef build;       ///< for this platform
  trust::Signers signers{};     ///< who signed for it
};

/// What a followed channel, or a followed release, comes to.
struct Wanted {
  std::string release;
  std::int64_t serial = 0;  ///< the channel's; 0 where one release is followed

  bool operator==(const Wanted&) const = default;
};

/// What is followed, and what was last found out about it. Whoever follows keeps it between two polls, and changes nothing below the names.
struct Followed {
  std::string app, environment;
  std::string channel;  ///< or, where it is empty,
  std::string release;  ///< this one alone

  Stamp stamp{};                                   ///< of the repository when it was last read whole
  Wanted wanted{};                                 ///< what it said then
  std::string manifest_sha256{};                   ///< of the wanted release, as it was listed; empty: it was not
  trust::WallTime fresh_until{};                   ///< the metadata that says so expires
  std::chrono::steady_clock::time_point read_at{};
};

/// The node's way to its repository. Blocking: for pool threads. From any of them; refreshes are made one after the other.
class Repository {
 public:
  explicit Repository(RepositoryOptions options);
  ~Repository();

  /// Refreshes metadata, then finds and verifies the release's manifest: app, environment and release are those asked for, and a build for
  /// this machine is there.
  Result<Resolved> resolve(const std::string& app, const std::string& environment, const std::string& release, std::stop_token stop);

  /// Whether a release that is sealed on this node is the one that the metadata lists under its id which this node trusts already: nobody is asked, and
  /// nothing is waited for. `sealed` is its manifest's SHA-256. `Errc::trust` where it is another one; no complaint where none is listed. A refusal is counted
  /// unless it is `only_looked_at`: then nothing was to be taken.
  Result<void> check_sealed(const ReleaseRef& release, const std::string& sealed, bool only_looked_at = false);

  /// What is followed comes to now. Where the repository has not changed since the last time, which one small exchange tells, it is what it was; else, and
  /// once an hour in any case (a new root alone does not show in timestamp.json), metadata is refreshed and it is looked up anew. Fails with
  /// `Errc::not_found` for a channel or release that is not there, `Errc::trust` also for a channel with a lower serial than this node has seen
  /// (see ChannelFloor), and as a refresh does.
  Result<Wanted> follow(Followed& followed, std::stop_token stop);
  /// What a followed channel came to when it was last taken; nothing where it never was. Asks nobody.
  Result<std::optional<Wanted>> remembered(const Followed& followed) const;

  /// Release ids of `app` in `environment`, and every app there is, from the metadata (refreshed).
  struct Listed {
    std::string app, environment, release;
  };
  Result<std::vector<Listed>> list(std::stop_token stop);

  /// Until it is given back, nothing else changes the folder of trusted metadata: there is one client at a time for it, since an older file could be
  /// written over a newer one. `Errc::cancelled` when stopped before.
  Result<std::unique_lock<std::mutex>> take_turn(const std::stop_token& stop);

  TrustStatus trust() const;  ///< from any thread
  const RepositoryOptions& options() const;

  /// Fetches a blob to `file`, resuming what an earlier attempt left; every full MiB is checked against `chunks` as it comes (a wrong one is dropped and
  /// fetched again once), the whole against its hash.
  Result<void> blob(const bundle::BlobRef& ref, const std::vector<std::string>& chunks, const fs::path& file, Progress& progress,
                    std::stop_token stop);
  /// What earlier attempts left of blobs: nobody needs it to go on, only to go on faster.
  PartialBlobs& partial_blobs();
  /// A small blob (an index) into memory, verified.
  Result<std::string> small_blob(const bundle::BlobRef& ref, std::uint64_t most, std::stop_token stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What staging needs to know.
struct StageOptions {
  std::string worker_program;        ///< path of `berth-unpack`
  uid_t worker_uid = 65534;
  gid_t worker_gid = 65534;
  std::uint64_t reserve_bytes = 256u << 20;  ///< what stays free on the disk
  std::vector<fs::path> sealed_slots;  ///< slots of the same app, newest first, whose equal files are linked
};

/// Fetches and unpacks a release into the empty folder `staging`: `app/`, `config/`, `manifest.json`, the signed indexes of both trees
/// (`app.index.json`, `config.index.json`), sealed modes, not yet synced. Space is
/// checked before anything is fetched. What the worker left is compared with the signed index, path by path, before this returns.
/// Where a sealed slot has what a patch of the release starts from, the patch is fetched instead of the layer; and the layer after all where the slot has
/// drifted or the patch cannot be had. `Errc::trust` where a patch is as signed and makes something else.
/// Blocking. On failure `staging` is left for the caller to remove. Returns the bytes of the tree.
struct Staged {
  std::uint64_t tree_bytes = 0;
  std::uint64_t layer_bytes = 0, patch_bytes = 0, index_bytes = 0;  ///< fetched
  std::string patched_from;        ///< the release whose files the patch was applied to; empty: no patch
  std::vector<std::string> notes;  ///< why a patch was not taken that could have been
  trust::Signers signers{};        ///< who signed for the release

  std::uint64_t fetched_bytes() const { return layer_bytes + patch_bytes + index_bytes; }
};
enum class StagePhase { fetching, unpacking };
Result<Staged> stage(Repository& repository, const Resolved& release, const fs::path& staging, const StageOptions& options,
                     Progress& progress, const std::function<void(StagePhase)>& phase, std::stop_token stop);

/// What `stage` would fetch and write, found out by what it decides with.
struct StagePlan {
  struct Blob {
    std::string part;  ///< folder in the slot: "app" or "config"
    std::string kind;  ///< "layer", "patch" or "index"
    std::string from;  ///< of a patch: the release that it starts from
    bundle::BlobRef ref;
  };
  std::vector<Blob> fetched;
  bundle::LayerIndex app, config;   ///< as signed
  std::uint64_t needed = 0;         ///< bytes on disk, at most
  std::vector<std::string> notes;   ///< why a patch does not do
  std::optional<Error> refused{};   ///< there is too little room
};
/// Fetches indexes that no slot has, and neither layers nor patches; writes nothing. `folder` is on the disk where staging is. Blocking: reads the files of
/// slots that would be linked.
Result<StagePlan> plan_stage(Repository& repository, const Resolved& release, const fs::path& folder, const StageOptions& options, std::stop_token stop);

inline constexpr std::uint64_t kLargestConfigLookedAt = 16u << 20;  ///< bytes of the tar of a configuration, to stage it alone

/// Fetches and unpacks the environment's files alone into the empty folder `folder`: `config/`, as `stage` does with them. The configuration is of
/// `kLargestConfigLookedAt` at most. Blocking. On failure `folder` is left for the caller to remove.
Result<void> stage_config(Repository& repository, const Resolved& release, const fs::path& folder, const StageOptions& options, std::stop_token stop);

}  // namespace berth::fetch
