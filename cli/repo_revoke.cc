#include <chrono>
#include <memory>

#include <fmt/core.h>

#include "cli/publishing.h"
#include "cli/repo.h"
#include "cli/repo_status.h"
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
  BERTH_TRY(auto writer, trust::RepositoryWriter::open(options.folder, std::move(keys), now));
  BERTH_CHECK(writer.revoke(revocation));
  if (console.json) return tell_roles(console, options.folder, writer.state(), now());
  const trust::DelegatedFile* left = writer.files().role(options.role);
  if (left == nullptr) {
    console.line(fmt::format("{}: role {} is delegated no more{}", options.folder, options.role,
                             options.keep ? "; the targets key vouches for its releases" : ", and its releases are listed no more"));
  } else {
    console.line(fmt::format("{}: role {} has {} keys left, {} of which sign", options.folder, options.role, left->delegation.keys.keys.size(),
                             left->delegation.keys.threshold));
    if (!left->trouble.empty())
      console.warn(fmt::format("what is published of role {} is not believed until one of them has signed for it: "
                               "berth repo refresh {} --role {} --vouch --key FILE",
                               options.role, options.folder, options.role));
  }
  return Exit::ok;
}

}  // namespace

Verb repo_revoke_verb() {
  auto o = std::make_shared<RepoRevokeOptions>();
  return {.name = "revoke",
          .summary = "Take a delegated role away, or one of its keys",
          .text = "To replace a key: delegate the new one, have it sign ('berth repo refresh --role'), accept that, revoke the old one. A stolen key is "
                  "revoked at once with --force. Ids of releases that are listed no more stay used: the next release gets the next one. Needs the keys of targets, snapshot and timestamp.",
          .examples = {"berth repo revoke ./repo web --key old-ci-web.pub", "berth repo revoke ./repo web --key stolen.pub --force",
                       "berth repo revoke ./repo web --keep-releases # the repository's own key signs for them from now on"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
          .arguments = {repository_argument(o->folder), {"ROLE", "the role", &o->role}},
          .options = with_signing({{"--key", "FILE", "this public key of the role only; may be repeated", &o->keys, Completes::file},
                      {"--keep-releases", "", "what it released stays, signed by the repository's targets key", &o->keep},
                      {"--force", "", "also where what is published is then signed by too few keys", &o->force}},
                                  o->signing, "--signing-key"),
          .action = [o](Console& console) { return revoke(console, *o); }};
}

}  // namespace berth::cli
