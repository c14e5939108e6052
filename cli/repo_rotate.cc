#include <algorithm>
#include <chrono>
#include <memory>

#include <fmt/core.h>

#include "cli/publishing.h"
#include "cli/repo.h"
#include "cli/repo_status.h"
#include "core/files/files.h"
#include "core/trust/limits.h"
#include "core/trust/repository_files.h"
#include "core/trust/root_change.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;


struct RepoRotateOptions {
  std::string folder, role, out, in;
  std::vector<std::string> public_keys;
  std::optional<std::int64_t> threshold;
  SigningOptions signing;
};

const trust::RoleKeys* keys_of(const trust::Root& root, const std::string& role) {
  if (role == "root") return &root.root;
  if (role == "targets") return &root.targets;
  if (role == "snapshot") return &root.snapshot;
  return role == "timestamp" ? &root.timestamp : nullptr;
}

Error unknown_role(const RepoRotateOptions& options, const trust::RepositoryFiles& files) {
  if (files.role(options.role) == nullptr)
    return {Errc::usage, fmt::format("berth repo rotate: '{}' is none of root, targets, snapshot, timestamp", options.role)};
  return {Errc::usage, fmt::format("berth repo rotate: {0} is delegated; 'berth repo delegate {1} {0} --key NEW.pub', have that key sign by 'berth repo refresh "
                                   "{1} --role {0}', accept it, then 'berth repo revoke {1} {0} --key OLD.pub'",
                                   options.role, options.folder)};
}

/// The key of a rotation to this root that was begun before, such as with --out, or else a new one.
Result<crypto::PublicKey> key_at(const Console& console, const RepoRotateOptions& options, const fs::path& file, const std::string& passphrase) {
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    BERTH_TRY(const auto begun, crypto::SigningKey::load(file, passphrase_of(options.signing)));
    console.note(fmt::format("The key of the rotation that was begun: {}", file.string()));
    return begun.public_key();
  }
  const auto key = crypto::SigningKey::generate();
  BERTH_CHECK(key.save(file, passphrase));
  console.note(fmt::format("New key: {}", file.string()));
  return key.public_key();
}

/// The public keys that were given, or those of new private keys beside the old ones, `<role>-<version of the new root>.pem`, which
/// may be there from the last try.
Result<std::vector<crypto::PublicKey>> new_keys(const Console& console, const RepoRotateOptions& options, const trust::Root& root, const trust::RoleKeys& present,
                                                 std::int64_t threshold) {
  std::vector<crypto::PublicKey> keys;
  for (const std::string& file : options.public_keys) {
    BERTH_TRY(auto key, read_public_key(file));
    keys.push_back(std::move(key));
  }
  if (!keys.empty()) return keys;
  BERTH_TRY(const std::string passphrase, new_key_passphrase(options.signing));
  const fs::path folder = options.signing.keys.empty() ? keys_beside(options.folder) : fs::path(options.signing.keys);
  BERTH_CHECK(files::make_directories(folder, 0700));
  for (std::int64_t number = 1; number <= threshold; ++number) {
    const std::string suffix = number == 1 ? "" : fmt::format("-{}", number);
    const fs::path file = folder / fmt::format("{}-{}{}.pem", options.role, root.issue.version + 1, suffix);
    BERTH_TRY(auto key, key_at(console, options, file, passphrase));
    if (std::ranges::any_of(present.keys, [&](const auto& one) { return one.second == key; }))
      return fail(Errc::exists, fmt::format("{}: is a key of role {} already; name new ones with --new FILE", file.string(), options.role));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<Exit> tell(const Console& console, const RepoRotateOptions& options, const trust::RepositoryWriter& writer) {
  if (!console.json)
    console.note("Old keys sign nothing any more; destroy them. Nodes follow the new root by themselves; pin the newest one, metadata/root.json, on new nodes.");
  return tell_roles(console, options.folder, writer.state(), std::chrono::system_clock::now());
}

Result<Exit> install(const Console& console, const RepoRotateOptions& options, trust::RepositoryWriter& writer) {
  BERTH_TRY(const std::string root, files::read(options.in, trust::kMostRoot));
  BERTH_CHECK(writer.replace_root(root));
  return tell(console, options, writer);
}

Result<Exit> rotate(const Console& console, const RepoRotateOptions& options) {
  if (options.role.empty() == options.in.empty())
    return fail(Errc::usage, "berth repo rotate: say whose key is replaced (root, targets, snapshot, timestamp), or --in FILE, a root signed elsewhere");
  BERTH_TRY(auto keys, keyring_of(options.signing, options.folder));
  BERTH_TRY(const auto wait, wait_of(options.signing));
  BERTH_TRY(auto writer, trust::RepositoryWriter::open(options.folder, keys, std::chrono::system_clock::now, {}, wait));
  if (!options.in.empty()) return install(console, options, writer);

  const trust::Root& root = writer.files().root;
  const trust::RoleKeys* present = keys_of(root, options.role);
  if (present == nullptr) return std::unexpected(unknown_role(options, writer.files()));
  // Before a new key is made for nothing.
  if (options.out.empty()) BERTH_CHECK(keys.enough_for("root", root.root, options.folder));
  BERTH_TRY(auto listed, new_keys(console, options, root, *present, options.threshold.value_or(present->threshold)));
  BERTH_TRY(const std::string draft, writer.draft_root({.role = options.role, .keys = std::move(listed), .threshold = options.threshold}));
  if (!options.out.empty()) {
    BERTH_CHECK(files::replace(options.out, draft));
    console.line(fmt::format("{}: to be signed by the present root's keys and, where root's change, by the new ones: berth repo sign {} --key FILE; "
                             "then: berth repo rotate {} --in {}",
                             options.out, options.out, options.folder, options.out));
    return Exit::ok;
  }
  BERTH_CHECK(writer.replace_root(draft));
  return tell(console, options, writer);
}

}  // namespace

Verb repo_rotate_verb() {
  auto o = std::make_shared<RepoRotateOptions>();
  return {.name = "rotate",
          .summary = "Replace the key of root, targets, snapshot or timestamp",
          .text = "The new root is signed by the keys of the old and the new one, so that nodes follow. Without --new, new Ed25519 keys are made beside the old "
                  "ones, encrypted where a passphrase is given; those that a rotation made which was not finished are taken again. Where the root key is offline, --out writes the new root for 'berth repo sign', and --in takes it back.",
          .examples = {"berth repo rotate ./repo timestamp", "berth repo rotate ./repo root --new root-2.pub --out root.json # sign it, then:",
                       "berth repo rotate ./repo --in root.json", "berth repo rotate ./repo targets --new a.pub --new b.pub --threshold 2"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
          .arguments = {repository_argument(o->folder), {"ROLE", "root, targets, snapshot or timestamp", &o->role, Completes::nothing, false, "root targets snapshot timestamp"}},
          .options = with_signing({wait_option(o->signing.wait),
                                   {"--new", "FILE", "a public key that it has from now on; may be repeated", &o->public_keys, Completes::file},
                                   {"--threshold", "N", "how many of them must sign", &o->threshold},
                                   {"--out", "FILE", "write the new root here, to be signed elsewhere", &o->out, Completes::file},
                                   {"--in", "FILE", "publish this root, which was signed elsewhere", &o->in, Completes::file}},
                                  o->signing),
          .action = [o](Console& console) { return rotate(console, *o); }};
}

}  // namespace berth::cli
