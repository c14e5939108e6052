#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/bundle/manifest.h"
#include "core/patch/frame.h"
#include "core/publish/build_store.h"
#include "core/publish/environment.h"
#include "core/result.h"
#include "core/trust/keyring.h"
#include "core/trust/time.h"

namespace berth::publish {

/// What is going to be a release, before an environment's configuration joins it.
struct Draft {
  spec::AppSpec spec;
  std::map<std::string, bundle::BuildRef> builds;  ///< by platform
  std::string commit, builder;
  std::string made;                                ///< when the build was made that the spec is of, RFC 3339; empty where that is not known
  std::vector<bundle::Attachment> attachments;     ///< what travelled with the build already; in the repository
  std::map<std::string, fs::path> blobs;           ///< SHA-256 → the file to copy into the repository; those left out are there
};

/// Of builds of one app for different platforms; they must have the same spec, which is the release's, and be of the same commit, unless `commit` says
/// which one the release is of. `Errc::usage` else. It names the builder of each.
Result<Draft> draft_of(const BuildStore& store, const std::vector<Build>& builds, const std::string& commit = {});

/// Of a release that is in the repository: the very same builds, and what is attached to them.
Draft draft_of(const bundle::Manifest& released);

/// A publisher's repository, with its keys.
struct Repository {
  fs::path folder;
  trust::Keyring keys;
  std::function<trust::WallTime()> now;
  fs::path incoming = {};  ///< where releases of delegated apps are handed in; empty: `incoming/` in the folder
  std::chrono::milliseconds wait{0};  ///< how long, while another publisher is at work in it
};

enum class IdRule {
  next,       ///< `v1`, `v2`, …
  timestamp,  ///< `20260727T101500Z`
  given,
};

/// From how many of the builds that were released last, and how hard, patches are made.
struct PatchOptions {
  std::size_t builds = 3;  ///< at most `bundle::kMostPatches`
  patch::Effort effort = patch::Effort::fast;
};

struct ReleaseOptions {
  IdRule id_rule = IdRule::next;
  std::string id;                     ///< with `given`
  std::vector<fs::path> attachments;  ///< files that travel with the release, such as an SBOM, beside the draft's
  PatchOptions patches;
};

struct Published {
  bundle::Manifest manifest;
  std::uint64_t new_bytes = 0;     ///< of blobs, in the repository
  std::vector<std::string> notes;  ///< what of the environment's files could not be taken as it is
  std::string role = "targets";    ///< who signed for it
  fs::path handed_in;              ///< of a delegated role: its file that waits to be accepted; empty where the release is published
  std::int64_t missing_signatures = 0;  ///< how many more keys of the role must sign that file
};

/// Joins a draft with the configuration of an environment, gives it patches from what was released before, and publishes the release: blobs first, the
/// signed metadata last, each durable before the next. Nothing is in the repository that a reader sees until all of it is. A release of an app that is
/// delegated is signed by its role and handed in instead: `accept_incoming` publishes it. Fails
///  - with `Errc::usage` for a configuration that the app's spec does not allow, and a placeholder that has no value,
///  - with `Errc::usage` for an attachment that has the name of another one and not its content,
///  - with `Errc::exists` for an id that was used before,
///  - with `Errc::trust` where the repository lacks a blob that the draft takes from it,
///  - as trust::RepositoryWriter and trust::RoleWriter do.
Result<Published> publish_release(const Repository& repository, Draft draft, const Environment& environment, const ReleaseOptions& options);

}  // namespace berth::publish
