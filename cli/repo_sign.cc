#include <filesystem>
#include <memory>
#include <optional>

#include <boost/json/object.hpp>
#include <fmt/core.h>

#include "cli/publishing.h"
#include "cli/repo.h"
#include "core/files/files.h"
#include "core/trust/limits.h"
#include "core/trust/repository_files.h"
#include "core/trust/sign_file.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;

struct RepoSignOptions {
  std::string file;
  SigningOptions signing;
};

/// The role whose file lies where roles hand in, `REPOSITORY/incoming/ROLE/metadata/N.ROLE.json`; nothing where it lies elsewhere.
std::optional<trust::Delegation> role_of(const fs::path& file) {
  std::error_code ignored;
  const fs::path metadata = fs::absolute(file, ignored).lexically_normal().parent_path();
  const fs::path folder = metadata.parent_path(), incoming = folder.parent_path();
  if (metadata.filename() != "metadata" || incoming.filename() != "incoming") return std::nullopt;
  const auto files = trust::read_repository_files(incoming.parent_path());
  const auto* role = files ? files->role(folder.filename().string()) : nullptr;
  return role == nullptr ? std::nullopt : std::optional(role->delegation);
}

Result<Exit> sign(const Console& console, const RepoSignOptions& options) {
  trust::Keyring keyring;
  BERTH_CHECK(add_given_signers(options.signing, keyring));
  if (keyring.given().empty()) return fail(Errc::usage, "berth repo sign: say with which key: --key FILE, or --signer COMMAND --signer-key FILE");
  BERTH_TRY(const std::string bytes, files::read(options.file, trust::kMostMetadata));
  const auto role = role_of(options.file);
  BERTH_TRY(const auto done, trust::sign_again(bytes, options.file, keyring.given(), role ? &role->keys : nullptr));
  BERTH_CHECK(files::replace(options.file, done.bytes));
  for (const std::string& strange : done.strange)
    console.warn(role ? fmt::format("{} is not one of the keys of role {}: its signature does not count", trust::short_keyid(strange), role->role)
                      : fmt::format("{} is not one of the keys that {} lists for root; its signature counts only where the root before it lists it",
                                    trust::short_keyid(strange), options.file));
  if (console.json) {
    console.document(boost::json::object{{"path", options.file}, {"type", done.type}, {"version", done.version},
                                         {"expires", trust::to_string(done.expires)}, {"signatures", done.signatures}});
    return Exit::ok;
  }
  console.line(fmt::format("{}: {} version {}, good until {}, has {} signature{}", options.file, done.type, done.version, trust::to_string(done.expires),
                           done.signatures, done.signatures == 1 ? "" : "s"));
  return Exit::ok;
}

}  // namespace

Verb repo_sign_verb() {
  auto o = std::make_shared<RepoSignOptions>();
  std::vector<Option> options = signing_options(o->signing);
  options.erase(options.begin());  // there is no folder of keys here
  return {.name = "sign",
          .summary = "Add a signature to a metadata file, away from the repository",
          .text = "For a root that 'berth repo init --out' or 'rotate --out' wrote, where the offline key is; and for a role that needs several signatures. "
                  "It says so where a key is none of the role's: of a root, and of a file in a repository's incoming/.",
          .examples = {"berth repo sign root.json --key /media/usb/root.pem",
                       "berth repo sign repo/incoming/web/metadata/4.web.json --key second.pem",
                       "berth repo sign root.json --signer 'openssl dgst -sha256 -sign p256.pem | openssl base64' --signer-key p256.pub"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission},
          .arguments = {{"FILE", "the metadata file", &o->file, Completes::file}},
          .options = std::move(options),
          .action = [o](Console& console) { return sign(console, *o); }};
}

}  // namespace berth::cli
