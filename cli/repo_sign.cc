#include <memory>

#include <boost/json/object.hpp>
#include <fmt/core.h>

#include "cli/publishing.h"
#include "cli/repo.h"
#include "core/files/files.h"
#include "core/trust/limits.h"
#include "core/trust/sign_file.h"

namespace berth::cli {
namespace {

struct RepoSignOptions {
  std::string file;
  SigningOptions signing;
};

Result<Exit> sign(const Console& console, const RepoSignOptions& options) {
  trust::Keyring keyring;
  BERTH_CHECK(add_given_signers(options.signing, keyring));
  if (keyring.given().empty()) return fail(Errc::usage, "berth repo sign: say with which key: --key FILE, or --signer COMMAND --signer-key FILE");
  BERTH_TRY(const std::string bytes, files::read(options.file, trust::kMostMetadata));
  BERTH_TRY(const auto done, trust::sign_again(bytes, options.file, keyring.given()));
  BERTH_CHECK(files::replace(options.file, done.bytes));
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
          .text = "For a root that 'berth repo init --out' or 'rotate --out' wrote, where the offline key is; and for a role that needs several signatures.",
          .examples = {"berth repo sign root.json --key /media/usb/root.pem",
                       "berth repo sign repo/incoming/web/metadata/4.web.json --key second.pem",
                       "berth repo sign root.json --signer 'openssl dgst -sha256 -sign p256.pem | openssl base64' --signer-key p256.pub"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission},
          .arguments = {{"FILE", "the metadata file", &o->file, Completes::file}},
          .options = std::move(options),
          .action = [o](Console& console) { return sign(console, *o); }};
}

}  // namespace berth::cli
