#include <chrono>
#include <memory>

#include <fmt/core.h>

#include "cli/publishing.h"
#include "cli/repo.h"
#include "cli/repo_status.h"
#include "core/files/files.h"
#include "core/trust/delegation_change.h"
#include "core/trust/repository_files.h"

namespace berth::cli {
namespace {

struct RepoDelegateOptions {
  std::string folder, role;
  std::vector<std::string> keys, paths;
  std::optional<std::int64_t> threshold;
  bool force = false;
  SigningOptions signing;
};

/// What an app's role signs for: its releases and its channels, in every environment.
std::vector<std::string> paths_of_app(const std::string& app) { return {app + "/*/*", app + "/*/channels/*"}; }

Result<Exit> delegate(const Console& console, const RepoDelegateOptions& options) {
  trust::DelegationChange change{.role = options.role, .paths = options.paths, .threshold = options.threshold, .force = options.force};
  for (const std::string& file : options.keys) {
    BERTH_TRY(auto key, read_public_key(file));
    change.keys.push_back(std::move(key));
  }
  const auto now = std::chrono::system_clock::now;
  BERTH_TRY(auto keys, keyring_of(options.signing, options.folder));
  BERTH_TRY(const auto wait, wait_of(options.signing));
  BERTH_TRY(auto writer, trust::RepositoryWriter::open(options.folder, std::move(keys), now, {}, wait));
  if (writer.files().role(options.role) == nullptr && change.paths.empty()) change.paths = paths_of_app(options.role);
  BERTH_CHECK(writer.delegate(change));
  const auto incoming = trust::incoming_of(options.folder) / options.role;
  BERTH_CHECK(files::make_directories(incoming));
  if (console.json) return tell_roles(console, options.folder, writer.state(), now());
  const trust::Delegation& delegation = writer.files().role(options.role)->delegation;
  console.line(fmt::format("{}: {} is delegated: {} of {} keys sign for {}", options.folder, options.role, delegation.keys.threshold,
                           delegation.keys.keys.size(), joined(delegation.paths)));
  console.note(fmt::format("Its releases are handed in below {}, which whoever signs them must be able to write to: "
                           "berth release {} --env NAME --repo {} --key FILE",
                           incoming.string(), options.role, options.folder));
  return Exit::ok;
}

}  // namespace

Verb repo_delegate_verb() {
  auto o = std::make_shared<RepoDelegateOptions>();
  return {.name = "delegate",
          .summary = "Let an app's releases be signed by keys of its own",
          .text = "Those keys sign for that app alone; 'berth repo accept' publishes what they signed. For a role that exists, keys are added, and paths "
                  "and threshold replaced. A threshold that what is published does not meet is refused: have that many keys sign first. Needs the keys of targets, snapshot and timestamp.",
          .examples = {"berth repo delegate ./repo web --key ci-web.pub", "berth repo delegate ./repo web --key a.pub --key b.pub --threshold 2",
                       "berth repo delegate ./repo web --threshold 2 # its present version is signed by two",
                       "berth repo delegate ./repo shop --key shop.pub --path 'cart/*/*' --path 'pay/*/*' # several apps, one role"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
          .arguments = {repository_argument(o->folder), {"ROLE", "the role, named as the app", &o->role}},
          .options = with_signing({wait_option(o->signing.wait),
                                   {"--key", "FILE", "a public key of the role, PEM; may be repeated", &o->keys, Completes::file},
                      {"--path", "PATTERN", "targets that it signs for (default: ROLE/*/* and ROLE/*/channels/*); may be repeated", &o->paths},
                      {"--threshold", "N", "how many of its keys must sign", &o->threshold},
                      {"--force", "", "also where what is published is then signed by too few keys", &o->force}},
                                  o->signing, "--signing-key"),
          .action = [o](Console& console) { return delegate(console, *o); }};
}

}  // namespace berth::cli
