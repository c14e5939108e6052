#include <algorithm>
#include <chrono>
#include <memory>

#include <fmt/core.h>

#include "cli/publishing.h"
#include "cli/repo.h"
#include "cli/repo_status.h"
#include "core/publish/accept.h"
#include "core/trust/delegation_change.h"
#include "core/trust/repository_files.h"

namespace berth::cli {
namespace {

struct RepoRevokeOptions {
  std::string folder, role;
  std::vector<std::string> keys;
  bool keep = false, force = false;
  SigningOptions signing;
};

/// Targets that were listed and are no more, such as `web/production/v3.json`, by name.
std::vector<std::string> gone(const trust::RepositoryState& before, const trust::RepositoryState& after) {
  std::vector<std::string> names;
  for (const trust::Target& target : before.targets)
    if (std::ranges::find(after.targets, target.name, &trust::Target::name) == after.targets.end()) names.push_back(target.name);
  return names;
}

void tell_gone(const Console& console, const std::vector<std::string>& names) {
  if (names.empty()) return;
  console.note("No node finds these any more; those that run one keep running it:");
  for (const std::string& name : names) console.note("  " + name);
}

Result<Exit> revoke(const Console& console, const RepoRevokeOptions& options) {
  trust::Revocation revocation{.role = options.role, .keep_targets = options.keep, .force = options.force};
  for (const std::string& file : options.keys) {
    BERTH_TRY(auto key, read_public_key(file));
    revocation.keys.push_back(std::move(key));
  }
  if (options.keep && !options.keys.empty())
    return fail(Errc::usage, "berth repo revoke: --keep-releases is for a whole role; without a key its releases stay as they are");
  const auto now = std::chrono::system_clock::now;
  BERTH_TRY(auto keys, keyring_of(options.signing, options.folder));
  BERTH_TRY(const auto wait, wait_of(options.signing));
  BERTH_TRY(auto writer, trust::RepositoryWriter::open(options.folder, std::move(keys), now, {}, wait));
  const trust::RepositoryState before = writer.state();
  BERTH_CHECK(writer.revoke(revocation));
  std::vector<std::int64_t> waited;
  if (writer.files().role(options.role) == nullptr) {
    BERTH_TRY(waited, publish::discard_incoming(trust::incoming_of(options.folder), options.role));
  }
  if (console.json) return tell_roles(console, options.folder, writer.state(), now());
  const trust::DelegatedFile* left = writer.files().role(options.role);
  const auto names = gone(before, writer.state());
  if (left == nullptr) {
    console.line(fmt::format("{}: role {} is delegated no more{}", options.folder, options.role,
                             options.keep ? "; the targets key vouches for its releases" : ", and its releases are listed no more"));
    if (!waited.empty())
      console.note(fmt::format("What waited to be accepted of it was removed: {} up to version {}", (trust::incoming_of(options.folder) / options.role).string(), waited.back()));
  } else {
    console.line(fmt::format("{}: role {} has {} keys left, {} of which sign", options.folder, options.role, left->delegation.keys.keys.size(),
                             left->delegation.keys.threshold));
    if (!left->trouble.empty())
      console.warn(fmt::format("what is published of role {} is not believed until one of them has signed for it: "
                               "berth repo refresh {} --role {} --vouch --key FILE",
                               options.role, options.folder, options.role));
  }
  tell_gone(console, names);
  return Exit::ok;
}

}  // namespace

Verb repo_revoke_verb() {
  auto o = std::make_shared<RepoRevokeOptions>();
  return {.name = "revoke",
          .summary = "Take a delegated role away, or one of its keys",
          .text = "To replace a key: delegate the new one, have it sign ('berth repo refresh --role'), accept that, revoke the old one. A stolen key is "
                  "revoked at once with --force. Says which releases nodes find no more, and removes what waits in incoming/ of a role that is revoked whole. Ids of releases that are listed no more stay used: the next release gets the next one. Needs the keys of targets, snapshot and timestamp.",
          .examples = {"berth repo revoke ./repo web --key old-ci-web.pub", "berth repo revoke ./repo web --key stolen.pub --force",
                       "berth repo revoke ./repo web --keep-releases # the repository's own key signs for them from now on"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
          .arguments = {repository_argument(o->folder), {"ROLE", "the role", &o->role}},
          .options = with_signing({wait_option(o->signing.wait),
                                   {"--key", "FILE", "this public key of the role only; may be repeated", &o->keys, Completes::file},
                      {"--keep-releases", "", "what it released stays, signed by the repository's targets key", &o->keep},
                      {"--force", "", "also where what is published is then signed by too few keys", &o->force}},
                                  o->signing, "--signing-key"),
          .action = [o](Console& console) { return revoke(console, *o); }};
}

}  // namespace berth::cli
